package scenarios

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// An observed is what one client was seen to do under a fault.
type observed struct {
	row, scenario, client string
	word                  string // "ok", "FAIL"; in parentheses where it is left out, with a ! where ours is the other
}

// readObserved reads testdata/clients/outcomes.txt.
func readObserved(t *testing.T) []observed {
	t.Helper()
	f, err := os.Open("testdata/clients/outcomes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	clients := strings.Fields("docker podman buildah skopeo crane oras regctl")
	var list []observed
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if len(fields) != 2+len(clients) {
			t.Fatalf("this line has %d fields: %s", len(fields), lines.Text())
		}
		for i, word := range fields[2:] {
			list = append(list, observed{fields[0], fields[1], clients[i], word})
		}
	}
	return list
}

// TestTheLibrarySaysOfClientsWhatWasObserved holds the files of the folder clients to
// what real clients were seen to do: a file expects the same, or it is said that it
// does not.
func TestTheLibrarySaysOfClientsWhatWasObserved(t *testing.T) {
	t.Parallel()
	list, err := Load(nil, foreignFolder)
	if err != nil {
		t.Fatal(err)
	}
	expects := map[string]string{} // "scenario@client" → ok, FAIL
	for _, s := range list {
		id, _, _ := strings.Cut(strings.TrimPrefix(s.ID, foreignFolder+"/"), "@")
		id, _, _ = strings.Cut(id, "/")
		if s.Expect.Result == ResultTruthful {
			continue // now so, now so
		}
		word := "ok"
		if s.Expect.Result == ResultFailed {
			word = "FAIL"
		}
		expects[id+"@"+ClientName(s.Client)] = word
	}
	rows := map[string]bool{}
	for _, o := range readObserved(t) {
		got := expects[o.scenario+"@"+o.client]
		other := map[string]string{"ok": "FAIL", "FAIL": "ok"}
		want := o.word
		switch {
		case want == "-":
			continue // what was not observed, a file may say all the same
		case strings.HasPrefix(want, "("):
			want = ""
		case strings.HasSuffix(want, "!"):
			want = other[strings.TrimSuffix(want, "!")]
		}
		rows[o.scenario] = rows[o.scenario] || want != ""
		if got != want {
			t.Errorf("%s: %s of %s expects %q; observed was %s", o.row, o.scenario, o.client, got, o.word)
		}
	}
	if len(rows) < 30 {
		t.Errorf("only %d scenarios are about what was observed", len(rows))
	}
}
