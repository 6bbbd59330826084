//go:build !linux

package scenarios

// unmountBelow does nothing: clients that mount are Linux's.
func unmountBelow(string) {}
