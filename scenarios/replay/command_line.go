package replay

import (
	"fmt"
	"slices"
	"strings"
)

// A command is what a recorded docker command line was to do.
type command struct {
	pushes []target // at once; at least one
	quiet  bool     // it shows no more than what it pushed
}

// A target is what one push was to push.
type target struct{ name, tag string } // "HOST/lib/app", "latest"; no tag is all of them

// all tells whether every tag is pushed.
func (c command) all() bool { return c.pushes[0].tag == "" }

// readCommand finds the push in the arguments of a command: of docker itself, or
// of a shell that runs several at once.
func readCommand(argv []string) (command, error) {
	words := argv
	if len(argv) > 2 && argv[1] == "-c" {
		words = strings.FieldsFunc(argv[2], func(r rune) bool { return strings.ContainsRune(" ;&()<>", r) })
	}
	var c command
	for i, word := range words {
		if word != "push" {
			continue
		}
		t, quiet, ok := readPush(words[i+1:])
		if t.name == "" || strings.HasSuffix(t.name, `"`) {
			continue // of a heading that the shell writes
		}
		if !ok || len(c.pushes) > 0 && (quiet || c.quiet || t.tag == "" || c.all()) {
			return c, fmt.Errorf("it pushes in a way that is not played: %s", strings.Join(argv, " "))
		}
		c.pushes, c.quiet = append(c.pushes, t), quiet
	}
	if len(c.pushes) == 0 {
		return c, fmt.Errorf("the client was run as a command that is no docker push: %s", strings.Join(argv, " "))
	}
	return c, nil
}

// readPush reads what stands behind docker's push. ok is false where it says
// something that is not known.
func readPush(words []string) (t target, quiet, ok bool) {
	all := false
	for _, word := range words {
		switch {
		case word == "-a", word == "--all-tags":
			all = true
		case word == "-q", word == "--quiet":
			quiet = true
		case slices.Contains([]string{"--disable-content-trust", "--disable-content-trust=true"}, word): // which is so anyway
		case strings.HasPrefix(word, "-"):
			return target{name: word}, quiet, false
		default:
			t = target{word, "latest"}
			if colon := strings.LastIndexByte(word, ':'); colon > strings.LastIndexByte(word, '/') {
				t = target{word[:colon], word[colon+1:]}
			}
			if all {
				t.tag = ""
			}
			return t, quiet, true
		}
	}
	return t, quiet, false
}
