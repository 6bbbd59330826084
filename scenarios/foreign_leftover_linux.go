package scenarios

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// leftovers are the processes of a client that may have left its process group.
type leftovers struct {
	home  string // that they have; "" is none
	marks []mark // one of which they carry
	group int    // of which nothing is told: it is being killed
}

// searches bounds how often leftovers are looked for: what is killed may have begun
// another meanwhile.
const searches = 10

// kill kills the leftovers. It says which there were, a line each; "" for none.
func (l leftovers) kill() string {
	var said strings.Builder
	killed := map[int]bool{}
	for range searches {
		before := len(killed)
		for _, p := range l.find() {
			if killed[p.pid] || syscall.Kill(p.pid, syscall.SIGKILL) != nil {
				continue
			}
			killed[p.pid] = true
			if p.group != l.group {
				fmt.Fprintf(&said, "leftover: %s (process %d) had left its group, still ran and was killed\n", p.name, p.pid)
			}
		}
		if len(killed) == before {
			break
		}
	}
	return said.String()
}

// A process is what /proc/PID/stat says of one.
type process struct {
	pid, group int
	name       string
}

// find finds the leftovers that run.
func (l leftovers) find() []process {
	var list []process
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() || !slices.Contains(l.marks, markedAs(pid)) && !l.hasHome(dir) {
			continue
		}
		if p, runs := processOf(dir, pid); runs {
			list = append(list, p)
		}
	}
	return list
}

// hasHome reports whether a process was given the home.
func (l leftovers) hasHome(dir string) bool {
	if l.home == "" {
		return false
	}
	environ, err := os.ReadFile(filepath.Join(dir, "environ"))
	return err == nil && bytes.Contains(append([]byte{0}, environ...), []byte("\x00HOME="+l.home+"\x00"))
}

// processOf reads what a process is, and whether it runs: neither gone, nor waiting
// to be buried by its parent.
func processOf(dir string, pid int) (p process, runs bool) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	begin, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if err != nil || begin < 0 || end < begin {
		return p, false
	}
	fields := strings.Fields(string(stat[end+1:])) // state, parent, group, …: proc_pid_stat(5)
	if len(fields) < 3 || fields[0] == "Z" || fields[0] == "X" {
		return p, false
	}
	group, _ := strconv.Atoi(fields[2]) // the kernel writes it
	return process{pid, group, string(stat[begin+1 : end])}, true
}
