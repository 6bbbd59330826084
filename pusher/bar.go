package pusher

// Bar is what docker's command line shows beside the status on a terminal of so
// many columns (P-033): a box and figures, the figures alone, or "".
func (e Event) Bar(columns int) string { return progressBar(e.Current, e.Total, columns) }
