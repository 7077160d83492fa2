// A file is offered to the person: by a link that is clicked, from the browser's own memory.

export function saved(name: string, content: string | Blob, kind = "text/csv;charset=utf-8"): void {
  const url = URL.createObjectURL(typeof content === "string" ? new Blob([content], { type: kind }) : content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The picture behind a `data:` address. */
export function pictureOf(url: string): Blob {
  const bytes = Uint8Array.from(atob(url.split(",")[1]!), (each) => each.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}
