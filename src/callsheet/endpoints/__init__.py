"""Endpoints of one's own: functions of plugin files that a server calls for requests below ``/endpoints/``."""
