"""Should anyone be told? Alertmanager's words and its split, pure: firing, resolved, silence, inhibit, receiver.

`lifecycle` turns the detectors' signals into alerts, `evidence` picks the posts that show them, `severity` says when
an alert is major, `cause` explains one by another, `policy` decides who is told and keeps the reason.
"""
