package scenarios

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// killLeftovers kills the processes that have a home: a client's that left its
// process group. It says which there were, a line each; "" for none.
func killLeftovers(home string) string {
	var said strings.Builder
	list, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
	for _, file := range list {
		environ, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, environ...), []byte("\x00HOME="+home+"\x00")) {
			continue // gone, or somebody else's
		}
		dir := filepath.Dir(file)
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(dir, "comm")) // it may be gone
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			fmt.Fprintf(&said, "leftover: %s (process %d) had left its group, still ran and was killed\n", bytes.TrimSpace(name), pid)
		}
	}
	return said.String()
}
