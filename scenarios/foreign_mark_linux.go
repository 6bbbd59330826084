package scenarios

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"
)

// A mark is a number that all processes of one command carry, whatever they do to
// their environment, group, session or parent: a soft limit of the time for which a
// process of real-time priority may run without a pause, of ten thousand years and
// more. No process comes near it, none sets it, and children inherit it.
type mark uint64

// markOf is the mark of a sandbox's command, by its number.
func markOf(dir string, n int) mark {
	sum := sha256.Sum256([]byte(dir + "\x00" + strconv.Itoa(n)))
	return mark(1<<60 | binary.BigEndian.Uint64(sum[:])>>8)
}

// put puts the mark on a process that has just begun. Where that cannot be done, what
// leaves the group is known by its home alone.
func (m mark) put(pid int) {
	var old unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &old) == nil && uint64(m) < old.Max {
		_ = unix.Prlimit(pid, unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: uint64(m), Max: old.Max}, nil) // see above
	}
}

// markedAs is the mark of a process; that of none when it has none, or is gone.
func markedAs(pid int) mark {
	var has unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &has) != nil {
		return 0
	}
	return mark(has.Cur)
}
