"""The processes of a real station: control, one per camera, recorder. Each is told what to do on standard input."""
