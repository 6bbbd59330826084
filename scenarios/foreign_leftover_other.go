//go:build !linux

package scenarios

// A mark is what all processes of one command would carry: there is none here.
type mark uint64

func markOf(string, int) mark { return 0 }

func (mark) put(int) {}

// leftovers are the processes of a client that may have left its process group.
type leftovers struct {
	home  string
	marks []mark
	group int
}

// kill finds nothing where there is no /proc.
func (leftovers) kill() string { return "" }
