package scenarios

import "github.com/pushcheck/pushcheck/fakeregistry"

// quirkList is what our own V2 can be told to do otherwise.
func quirkList() []fakeregistry.Quirk { return fakeregistry.QuirkList() }
