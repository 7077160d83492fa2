// The unit of work on this computer, by server and account, in IndexedDB: a closed tab loses nothing.

import type { Keeper, Kept } from "./unit.ts";

const STORE = "call sheets";

export class Journal implements Keeper {
  private database: Promise<IDBDatabase> | null = null;

  constructor(private readonly name: string) {}

  async load(): Promise<Kept | null> {
    const found = await this.work<Kept | undefined>("readonly", (store) => store.get(this.name));
    return found ?? null;
  }

  async save(kept: Kept): Promise<void> {
    const empty = ![kept.edits, kept.created, kept.deleted].some((each) => each.length) && !kept.sending;
    await this.work("readwrite", (store) => (empty ? store.delete(this.name) : store.put(kept, this.name)));
  }

  private async work<T>(mode: IDBTransactionMode, call: (store: IDBObjectStore) => IDBRequest): Promise<T> {
    this.database ??= opened();
    const database = await this.database;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = call(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result as T);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }
}

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("callsheet", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
