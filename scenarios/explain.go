package scenarios

// An Explanation is what there is to say about a name.
type Explanation struct {
	Name  string
	What  string   // "fault", "operation", "invariant", "outcome", "error code", "exit code", "scenario", "era"
	Doc   string   // sentences
	Rows  []Row    // parameters, places, rules
	Files []string // built-in scenarios that use it
}

// A Row is one line of an Explanation's table.
type Row struct{ Name, Type, Default, Doc string }

// Explain says what a fault, operation, invariant, outcome, error code, exit
// code, era or built-in scenario is. A name that means several things has
// several explanations.
//
// Errors: *NotFoundError with near names.
func Explain(name string) ([]Explanation, error) { return nil, &NotFoundError{Name: name} }

// Explainable lists every name that Explain knows, for completion.
func Explainable() []string { return nil }
