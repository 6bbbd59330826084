package scenarios

import (
	"os"
	"slices"
	"strings"
	"syscall"
)

// unmountBelow takes away what a client that was killed has left mounted in a folder
// of its own run: a folder with a mount in it cannot be removed.
//
// The standard library's syscall has all that it needs.
func unmountBelow(dir string) {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return // no proc: the folder shows whether it can be removed
	}
	for _, point := range slices.Backward(mountsBelow(string(table), dir)) {
		_ = syscall.Unmount(point, syscall.MNT_DETACH) // the folder shows whether it is gone
	}
}

// mountsBelow are the mount points of a table in the form of fstab(5) that lie in a
// folder, in the order in which they were mounted.
func mountsBelow(table, dir string) []string {
	var list []string
	spaces := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if point := spaces.Replace(fields[1]); strings.HasPrefix(point, dir+"/") {
			list = append(list, point)
		}
	}
	return list
}
