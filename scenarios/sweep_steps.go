package scenarios

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A SweepStep is one request of a clean push, or a connection on which there was
// none: docker tries TLS where the registry has none.
type SweepStep struct {
	Op   wire.Op
	Nth  int    // among those of its operation, from 1
	What string // what it is about: "layer1"; "" for nothing
	// Connect is the number of the connection that it opens, from 1; 0 for a request
	// on one that there was. Faults below HTTP strike it there.
	Connect int
	Place   int // among all requests, from 1
	// OfWhat is which request of its operation for What it is, from 1, where a fault
	// can be told to strike that one; 0 where it has to be the Nth of all.
	OfWhat int
}

// String is the step's name: "upload.patch 2".
func (s SweepStep) String() string { return fmt.Sprintf("%s %d", s.Op, s.Nth) }

// stepsOf are the requests of a clean push, in the order in which they began. That
// order is an era's own: its layers begin their requests in turn. Of another program
// layers may come in any order: known names those that it pushes as they are, and
// requests for them are numbered by layer and told apart by digest, not by arrival.
// known is nil for an era.
func stepsOf(clean Result, known map[digest.Digest]string) []SweepStep {
	var list []SweepStep
	conns, counts := map[int]bool{}, map[wire.Op]int{}
	for _, l := range clean.Scrubbed().Lines() {
		if l.Event != "" {
			continue
		}
		op := l.Op
		if l.Broken && l.Status == 0 { // no registry saw it: a connection, and that is all
			op = wire.OpConnect
		}
		counts[op]++
		step := SweepStep{Op: op, Nth: counts[op], What: l.What, Place: len(list) + 1}
		if l.Conn > 0 && !conns[l.Conn] {
			conns[l.Conn] = true
			step.Connect = len(conns)
		}
		switch {
		case op == wire.OpConnect:
			step.Nth, step.What = len(conns), "for "+string(l.Op)
		case op == wire.OpUploadStart:
			step.What = contentName(startedFor(clean, l.Seq))
		case strings.HasPrefix(string(l.Op), "blob.") || strings.HasPrefix(string(l.Op), "upload."):
			step.What = contentName(step.What)
		}
		list = append(list, step)
	}
	if known != nil {
		byLayer(list, clean, known)
	}
	return list
}

// contentName calls a blob that is none of the layers by what else an image has.
func contentName(what string) string {
	if what == "" || strings.HasPrefix(what, "layer") {
		return what
	}
	return "config"
}

// startedFor is the name or digest of what an upload was begun for, as the session
// shows that it led to; "" when nobody knows.
func startedFor(clean Result, seq int) string {
	session := ""
	for _, e := range clean.Trace {
		if e.Seq == seq {
			if at, err := url.Parse(e.Response.Header.Get("Location")); err == nil {
				session = wire.ParseRoute(http.MethodPatch, at).Session
			}
		}
		if session != "" && e.Route.Session == session && e.Route.Digest != "" {
			if name := clean.Names[e.Route.Digest]; name != "" {
				return name
			}
			return string(e.Route.Digest)
		}
	}
	return ""
}

// byLayer numbers requests for layers by layer. Where an upload is begun for one, no
// registry can tell which: such a step says so.
func byLayer(list []SweepStep, clean Result, known map[digest.Digest]string) {
	places := map[wire.Op][]int{}
	for i, s := range list {
		switch {
		case s.Op == wire.OpUploadStart && s.What != "":
			list[i].What = "some blob"
		case s.Op == wire.OpBlobHead, s.Op == wire.OpUploadPatch, s.Op == wire.OpUploadPut, s.Op == wire.OpUploadMount:
			if clean.Names != nil && pushedAsItIs(clean, known, s.What) {
				places[s.Op] = append(places[s.Op], i)
			}
		default:
		}
	}
	for _, at := range places {
		var of []SweepStep
		for _, i := range at {
			of = append(of, list[i])
		}
		slices.SortStableFunc(of, func(a, b SweepStep) int { return strings.Compare(a.What, b.What) })
		seen := map[string]int{}
		for n, i := range at {
			seen[of[n].What]++
			list[i].What, list[i].OfWhat = of[n].What, seen[of[n].What]
		}
	}
}

// pushedAsItIs reports whether a client pushed a layer under the digest that it has.
func pushedAsItIs(clean Result, known map[digest.Digest]string, layer string) bool {
	for d, name := range known {
		if name == layer && clean.Names[d] == layer {
			return strings.HasPrefix(layer, "layer")
		}
	}
	return false
}
