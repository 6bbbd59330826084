package golden_test

import (
	"os"
	"testing"

	"github.com/pushcheck/pushcheck/internal/golden"
)

// A probe is a test that may fail without failing this one.
type probe struct {
	testing.TB
	failed bool
}

func (p *probe) Helper()               {}
func (p *probe) Errorf(string, ...any) { p.failed = true }
func (p *probe) Logf(string, ...any)   {}
func (p *probe) Fatalf(string, ...any) { p.failed = true }
func (p *probe) Fatal(...any)          { p.failed = true }

func TestEqualComparesWithTheFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("testdata/golden", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/golden/a.txt", []byte("one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, got string
		fails     bool
	}{{"a.txt", "one\n", false}, {"a.txt", "two\n", true}} {
		p := &probe{TB: t}
		golden.Equal(p, "testdata/golden/"+c.name, c.got)
		if p.failed != c.fails {
			t.Errorf("Equal(%s, %q) failed: %v, want %v", c.name, c.got, p.failed, c.fails)
		}
	}
	if p := (&probe{TB: t}); true {
		golden.NoStrays(p, "testdata/golden", "a.txt")
		if p.failed {
			t.Error("a file that is named counts as a stray")
		}
		golden.NoStrays(p, "testdata/golden", "b.txt")
		if !p.failed {
			t.Error("a stray file was not noticed")
		}
	}
}
