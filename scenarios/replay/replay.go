// Package replay plays recordings of real clients: a server answers as the
// recorded registry did, resets and delays included, while an era pushes against
// it from the recorded state, and what the era sends, says and leaves behind is
// compared with what the recorded client did.
//
// It needs no registry and no network beyond loopback, and time is virtual: seven
// seconds of recorded delay cost nothing.
package replay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
)

// Options say what to play.
type Options struct {
	// Paths are recordings: folders of scenarios, scenarios, or single steps. At
	// least one.
	Paths []string
	// Images is an archive with the images that were pushed, or a folder of archives
	// and layouts; those whose names begin with the client's are taken, or all of them
	// when there is none such. "" is the folder "images" beside the recordings.
	Images string
	Era    pusher.Era // who pushes; the zero value is docker-1.8
	// TempDir is where image stores are made and removed again; "" is the
	// system's.
	TempDir string
	// Step, when not nil, is called with each verdict as it is reached.
	Step func(Verdict)
}

// A Report is what came out, a verdict for every step that was found.
type Report struct {
	Verdicts []Verdict
}

// Equal counts the steps that were equal.
func (r *Report) Equal() int {
	n := 0
	for _, v := range r.Verdicts {
		if v.Equal() {
			n++
		}
	}
	return n
}

// A Verdict is what came out of one step.
type Verdict struct {
	Scenario, Step string
	Path           string // of the step's NAME.json
	// Unplayable is why it could not be played, which counts as different; nil
	// when it was.
	Unplayable error
	Diffs      []Diff
	// Reasons say, by name, why something counts as equal although it was not
	// letter by letter; empty for most steps.
	Reasons []string
}

// Equal tells whether the step was played and nothing differed.
func (v Verdict) Equal() bool { return v.Unplayable == nil && len(v.Diffs) == 0 }

// A Diff is one thing that was not as recorded.
type Diff struct {
	Where            string // "request 5, PUT /v1/…: headers", "stream, object 3", "digest cache"
	Recorded, Played string
}

// String is the difference on several lines.
func (d Diff) String() string {
	return fmt.Sprintf("%s\n  - %s\n  + %s", d.Where, indent(d.Recorded), indent(d.Played))
}

func indent(s string) string {
	return strings.ReplaceAll(strings.TrimRight(s, "\r\n"), "\n", "\n    ")
}

// Run plays recordings and returns what came out of each step, in order. It
// prints nothing.
//
// Errors: recordings or images that are not there; ctx's error when ctx ended.
// That steps differ is no error.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Era.Name == "" {
		o.Era = pusher.Docker18()
	}
	if len(o.Paths) == 0 {
		return nil, errors.New("no recordings: name a folder of them")
	}
	cert, root, err := recording.NewCertificate("")
	if err != nil {
		return nil, err
	}
	report := &Report{}
	for _, path := range o.Paths {
		scenarios, err := recording.Find(path)
		if err != nil {
			return nil, err
		}
		images, err := imagesFor(o.Images, path)
		if err != nil {
			return nil, err
		}
		r := &runner{options: o, images: images, cert: cert, root: root, report: report}
		for _, s := range scenarios {
			if err := r.scenario(ctx, s); err != nil {
				return report, err
			}
		}
	}
	return report, nil
}

// A runner plays the recordings of one path.
type runner struct {
	options Options
	images  string // folder
	cert    tls.Certificate
	root    []byte // PEM of what vouches for cert
	report  *Report
}

func (r *runner) reached(v Verdict) {
	r.report.Verdicts = append(r.report.Verdicts, v)
	if r.options.Step != nil {
		r.options.Step(v)
	}
}

// imagesFor finds the folder of images: the one asked for, or the nearest one
// called images in a folder above the recording.
func imagesFor(asked, path string) (string, error) {
	if asked != "" {
		_, err := os.Stat(asked)
		return asked, err
	}
	dir, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range 4 {
		candidate := filepath.Join(dir, "images")
		if info, err := os.Stat(candidate); err == nil && info.IsDir() {
			return candidate, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", fmt.Errorf("%s: no folder of images beside it: name one", path)
}
