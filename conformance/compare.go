package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// A Recorded is a report as WriteJSON wrote it, read back.
type Recorded struct {
	Target, Profile string
	Prefix          string // of the repositories that were written to
	Seed            uint64
	Checks          []RecordedVerdict
	Capabilities    []Capability
}

// A RecordedVerdict is how one check ended.
type RecordedVerdict struct {
	ID, Level, Doc, Want, Got, Reason, Hurts string
	Word                                     Word
	Measured                                 []Measure
}

// ErrRecorded says that something is no report that can be compared.
var ErrRecorded = errors.New("no report of pushcheck conformance")

// recordedLimit is how large a report may be, in bytes.
const recordedLimit = 256 << 20

// ReadReport reads what WriteJSON wrote.
//
// Errors: ErrRecorded for anything else; r's.
func ReadReport(r io.Reader) (*Recorded, error) {
	data, err := io.ReadAll(io.LimitReader(r, recordedLimit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > recordedLimit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrRecorded, recordedLimit)
	}
	var j jsonReport
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecorded, err)
	}
	if j.Format != JSONFormat || len(j.Verdicts) == 0 {
		return nil, fmt.Errorf("%w: it has format %d and %d checks; this pushcheck reads format %d", ErrRecorded, j.Format, len(j.Verdicts), JSONFormat)
	}
	out := &Recorded{Target: j.Target, Profile: j.Profile, Prefix: j.Prefix, Seed: j.Seed, Capabilities: j.Can}
	seen := map[string]bool{}
	for _, v := range j.Verdicts {
		if v.ID == "" || seen[v.ID] || gravity(v.Word) < 0 {
			return nil, fmt.Errorf("%w: the check %q has verdict %q, or stands there twice", ErrRecorded, v.ID, v.Word)
		}
		seen[v.ID] = true
		out.Checks = append(out.Checks, RecordedVerdict{
			ID: v.ID, Level: v.Level, Doc: v.Doc, Want: v.Want, Got: v.Got, Reason: v.Reason, Hurts: v.Hurts, Word: v.Word, Measured: v.Measured,
		})
	}
	return out, nil
}

// gravity orders words, the lightest first; -1 for what is none.
func gravity(w Word) int {
	for i, one := range []Word{Pass, FellBack, Unsupported, Known, Note, Warn, BlockedBy, Errored, Fail} {
		if one == w {
			return i
		}
	}
	return -1
}

// A Turn says how a check went from one report to another.
type Turn string

// The turns.
const (
	Worse     Turn = "worse"
	Better    Turn = "better"
	Otherwise Turn = "otherwise" // the same verdict, for something else
	Gone      Turn = "gone"      // in the first report alone
	New       Turn = "new"       // in the second alone
)

// A Change is one check that went otherwise in the second report.
type Change struct {
	ID     string `json:"id"`
	Doc    string `json:"doc"`
	Turn   Turn   `json:"turn"`
	From   Word   `json:"from,omitempty"` // "" where it is not in a report
	To     Word   `json:"to,omitempty"`
	Before string `json:"before,omitempty"` // what was got, or why; may be ""
	After  string `json:"after,omitempty"`
	Hurts  string `json:"hurts,omitempty"`
}

// A Comparison is what differs between two reports.
type Comparison struct {
	A, B    *Recorded
	Changes []Change // in the order of the second report, and then what is gone
}

// Compare compares two runs, of one registry or of two.
func Compare(a, b *Recorded) *Comparison {
	c := &Comparison{A: a, B: b}
	old := map[string]RecordedVerdict{}
	for _, v := range a.Checks {
		old[v.ID] = v
	}
	now := map[string]bool{}
	for _, v := range b.Checks {
		now[v.ID] = true
		was, there := old[v.ID]
		change := Change{ID: v.ID, Doc: v.Doc, From: was.Word, To: v.Word, Before: was.why(), After: v.why(), Hurts: v.Hurts}
		switch {
		case !there:
			change.Turn = New
		case gravity(v.Word) > gravity(was.Word):
			change.Turn = Worse
		case gravity(v.Word) < gravity(was.Word):
			change.Turn = Better
		case b.alike(v.Want) != a.alike(was.Want) || b.alike(firstWord(v.Got)) != a.alike(firstWord(was.Got)):
			change.Turn = Otherwise
		default:
			continue
		}
		c.Changes = append(c.Changes, change)
	}
	for _, v := range a.Checks {
		if !now[v.ID] {
			c.Changes = append(c.Changes, Change{ID: v.ID, Doc: v.Doc, Turn: Gone, From: v.Word, Before: v.why()})
		}
	}
	return c
}

// alike is a text without what differs between two runs: digests and repositories.
func (r *Recorded) alike(s string) string {
	if r.Prefix != "" {
		s = strings.ReplaceAll(s, r.Prefix, "…")
	}
	return anyDigest(s)
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// why is what was got, or the reason.
func (v RecordedVerdict) why() string {
	if v.Want != "" {
		return "want " + v.Want + ", got " + v.Got
	}
	return v.Reason
}

// Worsened reports whether the second report has something that is worse, or that
// is new and not met.
func (c *Comparison) Worsened() bool {
	for _, change := range c.Changes {
		if change.Turn == Worse || change.Turn == New && gravity(change.To) >= gravity(Warn) {
			return true
		}
	}
	return false
}

// WriteText writes the comparison for people: what became worse first.
//
// Errors: w's.
func (c *Comparison) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "A  %s (%s)\nB  %s (%s)\n", c.A.Target, c.A.Profile, c.B.Target, c.B.Profile)
	for _, state := range c.capabilities() {
		b.WriteString(state)
	}
	counts := map[Turn]int{}
	for _, turn := range []Turn{Worse, New, Otherwise, Better, Gone} {
		for _, change := range c.Changes {
			if change.Turn != turn {
				continue
			}
			counts[turn]++
			fmt.Fprintf(&b, "%-9s %-9s %s\n", turn, change.ID, change.Doc)
			for _, side := range []struct {
				name string
				word Word
				why  string
			}{{"A", change.From, change.Before}, {"B", change.To, change.After}} {
				if side.word != "" {
					fmt.Fprintf(&b, "  %s  %s\n", side.name, strings.TrimSpace(fmt.Sprintf("%-11s %s", side.word, shorten(side.why))))
				}
			}
			if turn == Worse && change.Hurts != "" {
				fmt.Fprintf(&b, "  hurts %s\n", change.Hurts)
			}
		}
	}
	var parts []string
	for _, turn := range []Turn{Worse, New, Otherwise, Better, Gone} {
		if n := counts[turn]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, turn))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing differs"}
	}
	fmt.Fprintf(&b, "%s in A, %d in B: %s\n", count(len(c.A.Checks), "check"), len(c.B.Checks), strings.Join(parts, ", "))
	_, err := io.WriteString(w, visible(b.String()))
	return err
}

// capabilities are those that differ, a line each.
func (c *Comparison) capabilities() []string {
	old := map[string]string{}
	for _, one := range c.A.Capabilities {
		old[one.Name] = one.State
	}
	var lines []string
	for _, one := range c.B.Capabilities {
		if was := old[one.Name]; was != one.State && was != "" {
			lines = append(lines, fmt.Sprintf("  %-22s A %s; B %s\n", one.Name, was, one.State))
		}
	}
	return lines
}

// WriteJSON writes the comparison for programs.
//
// Errors: w's.
func (c *Comparison) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	changes := c.Changes
	if changes == nil {
		changes = []Change{}
	}
	return e.Encode(struct {
		Format  int      `json:"format"`
		A       string   `json:"a"`
		B       string   `json:"b"`
		Changes []Change `json:"changes"`
	}{JSONFormat, c.A.Target, c.B.Target, changes})
}

// visible shows control characters of what came from elsewhere.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, s)
}
