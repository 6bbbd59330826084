package scenarios

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountsBelowAFolder(t *testing.T) {
	t.Parallel()
	table := "proc /proc proc rw 0 0\n/dev/a /tmp/pc-1/run/data ext4 rw 0 0\n/dev/a /tmp/pc-12/run/data ext4 rw 0 0\ntmpfs /tmp/pc-1/run/data/a\\040b tmpfs rw 0 0\nshort\n"
	want := []string{"/tmp/pc-1/run/data", "/tmp/pc-1/run/data/a b"}
	if diff := cmp.Diff(want, mountsBelow(table, "/tmp/pc-1")); diff != "" {
		t.Error(diff)
	}
}
