package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/pusher"
)

// manifestRows say how a tag's manifest is made and put.
func manifestRows(e pusher.Era) []Row {
	rule, body := "P-375", formatWords(e)
	if e.Layers.Concurrency == 0 {
		rule = "P-220, P-222"
	}
	rows := []Row{{Name: "manifests", Type: rule, Doc: body}}
	m := e.Manifest
	if e.Layers.Concurrency == 0 {
		doc := "are sent as they are stored"
		if m.RepairsChain {
			doc = "are repaired before signing: each entry's parent is the next one's ID, the base has none"
		}
		rows = append(rows, Row{Name: "parents", Type: "P-221", Doc: doc})
	} else {
		types := map[pusher.ConfigType]string{
			pusher.ConfigTypeAnswered: "is what the registry says of the blob", pusher.ConfigTypeExisting: "is what the registry says of a config that it had",
			pusher.ConfigTypeRight: "is the right one",
		}
		rows = append(rows, Row{Name: "type of configs", Type: "P-373", Doc: types[m.ConfigType]})
	}
	if m.WantsDigest {
		rows = append(rows, Row{Name: "the answer", Type: "P-374", Doc: "must name a digest, whichever"})
	} else {
		rows = append(rows, Row{Name: "the answer", Type: "P-222", Doc: "is not read beyond its status"})
	}
	if m.LateDigest {
		rows = append(rows, Row{Name: "digest line", Type: "P-207, P-038", Doc: "after the manifest was taken, and once more as aux"})
	} else {
		rows = append(rows, Row{Name: "digest line", Type: "P-207", Doc: "before the manifest is put"})
	}
	if m.KeepsDigest {
		rows = append(rows, Row{Name: "digest reference", Type: "P-378", Doc: "is kept in the local repository"})
	}
	if m.TagInvalid != "" {
		rows = append(rows, Row{Name: "tag invalid", Type: "P-376", Doc: "is said to come from the end of schema 1"})
	}
	return rows
}

func formatWords(e pusher.Era) string {
	var words []string
	for i, f := range e.Manifests {
		word := "schema 2"
		if f == pusher.Schema1 {
			word = "schema 1, signed"
		}
		if i > 0 {
			word += ", at once after any error"
		}
		words = append(words, word)
	}
	text := strings.Join(words, ", then ")
	if e.Schema1Allowed {
		text += "; schema 1 after it where that is allowed"
	}
	return text
}

// errorRows say how a refusal is read.
func errorRows(e pusher.Era) []Row {
	r := e.Errors
	spoken := "one without detail and with its usual words is shown as its code"
	if r.Spoken {
		spoken = "one without detail and with its usual words is shown as its code in words"
	}
	rows := []Row{{Name: "refusals", Type: "P-250, P-251", Doc: spoken}}
	late := "TOOMANYREQUESTS"
	if _, known := r.Codes["TOOMANYREQUESTS"]; known {
		rows = append(rows, Row{Name: "codes", Type: "P-257", Doc: fmt.Sprintf("%d are known, %s too", len(r.Codes), late)})
	} else {
		rows = append(rows, Row{Name: "codes", Type: "P-257", Doc: fmt.Sprintf("%d are known; %s reads UNKNOWN", len(r.Codes), late)})
	}
	if len(r.Details) > 0 {
		var list []string
		for status, code := range r.Details {
			list = append(list, fmt.Sprintf("%d %s", status, code))
		}
		slices.Sort(list)
		rows = append(rows, Row{Name: "bare details", Type: "P-255", Doc: "are read, as " + strings.Join(list, ", ") + ", else UNKNOWN"})
	}
	if r.Challenges {
		rows = append(rows, Row{Name: "challenges", Type: "P-258", Doc: "of a refusal say what it is before its body does"})
	}
	if r.PlainBodies {
		rows = append(rows, Row{Name: "type of errors", Type: "P-259", Doc: "decides: a body that is not said to be JSON is the message as it is"})
	} else {
		rows = append(rows, Row{Name: "type of errors", Type: "P-252", Doc: "is not looked at: a body that is no JSON " + unreadWords(r)})
	}
	empty := "is an error of its own"
	if r.EmptyLists {
		empty = "is shown as <nil>"
	}
	return append(rows, Row{Name: "no error in a body", Type: "P-254", Doc: empty})
}

// unreadWords is how an era begins to say that a body cannot be read.
func unreadWords(r pusher.ErrorRules) string {
	text, _, _ := strings.Cut(fmt.Sprintf(r.Unread, 400, "…", "…"), ":")
	return fmt.Sprintf("reads %q", text)
}

// wordRows say what the user sees, in the era's own words.
func wordRows(e pusher.Era) []Row {
	w := e.Words
	rule := "P-043"
	switch {
	case e.Way == pusher.WayContainerd:
		rule = "P-399"
	case e.Layers.Concurrency == 0 && w.Started != "":
		rule = "P-042"
	case e.Layers.Concurrency == 0:
		rule = "P-041"
	}
	var said []string
	add := func(words ...string) {
		for _, word := range words {
			if word != "" && !slices.Contains(said, word) {
				said = append(said, word)
			}
		}
	}
	switch {
	case e.Way == pusher.WayContainerd:
		add("Waiting", "Layer already exists", "Mounted from …", "Pushing", w.Pushed)
	case e.Layers.Concurrency == 0:
		add(w.Preparing, w.Started, "Pushing", w.Pushed, "Image already exists", e.Layers.Retry.FailureStatus)
	default:
		add("Preparing", "Waiting", "Layer already exists", "Mounted from …", "Pushing", w.Pushed, e.Layers.Retry.FailureStatus)
		if e.Layers.Retry.Singular {
			add("Retrying in 1 second")
		} else {
			add("Retrying in 1 seconds")
		}
		if e.Layers.Foreign {
			add("Skipped foreign layer")
		}
	}
	first, _, _ := strings.Cut(w.Refers, "[")
	first += "[…]"
	if strings.Contains(w.Refers, "len:") {
		first += " (len: 1)"
	}
	rows := []Row{{Name: "first line", Type: "P-040", Doc: first}, {Name: "status words", Type: rule, Doc: strings.Join(said, ", ")}}
	if e.Way == pusher.WayGraph {
		doc := "are there one after the other, without an end of line"
		if e.Stream.ProgressEnd != "" {
			doc = "each end their line"
		}
		rows = append(rows, Row{Name: "progress objects", Type: "P-031", Doc: doc})
		gone := "ends the push"
		if e.OutlivesCaller {
			gone = "does not end the push"
		}
		rows = append(rows, Row{Name: "a caller who goes", Type: "P-026", Doc: gone})
	}
	return rows
}

// seconds is a duration as people say it.
func seconds(d time.Duration) string { return fmt.Sprintf("%g s", d.Seconds()) }
