package scenarios

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// noDowngrade: TLS and V2, once seen, are not given up.
func noDowngrade(p *seenPush) []finding {
	secure := map[string]bool{}
	confirmed := map[string]bool{}
	told := map[string]bool{} // plain addresses that a session's answer named
	pinged := 0               // the last ping that confirmed V2
	var found []finding
	for i, e := range p.trace {
		if at := e.Response.Header.Get("Location"); strings.HasPrefix(at, "http://") && strings.HasPrefix(string(e.Route.Op), "upload.") {
			told[pathOnly(at)] = true
		}
		if !e.reached() {
			continue
		}
		host := e.Request.Host
		if e.Request.Scheme == "http" && secure[host] {
			rule := "P-060"
			if told["http://"+host+pathOnly(e.Request.Target)] {
				rule = "P-201"
			}
			found = append(found, finding{
				broken: fmt.Sprintf("%s went to %s over plain HTTP after TLS had worked there", label(e), host), rules: []string{rule}, seq: e.Seq,
			})
		}
		if strings.HasPrefix(string(e.Route.Op), "v1.") && confirmed[host] {
			var rules []string
			if v1Follows(p.trace, pinged, i) {
				rules = []string{"P-162"}
			}
			found = append(found, finding{
				broken: fmt.Sprintf("%s went to %s after V2 was confirmed there", label(e), host), rules: rules, seq: e.Seq,
			})
		}
		if e.Request.Scheme == "https" && e.Response.Status != 0 {
			secure[host] = true
		}
		if e.Route.Op == wire.OpPing && saysV2(e.Response.Header) {
			confirmed[host], pinged = true, i
		}
	}
	return found
}

// v1Follows reports whether nothing but V1 lies between a ping and an exchange: then
// the ping was V1's own, which asks for V2 first (P-162).
func v1Follows(trace []seen, ping, at int) bool {
	return !slices.ContainsFunc(trace[ping+1:at], func(e seen) bool {
		return !strings.HasPrefix(string(e.Route.Op), "v1.") && e.Route.Op != wire.OpEvent
	})
}

// saysV2 reports whether an answer names version 2 of the protocol (P-092).
func saysV2(h http.Header) bool {
	for _, v := range h.Values("Docker-Distribution-Api-Version") {
		if slices.ContainsFunc(strings.Fields(v), func(s string) bool { return strings.EqualFold(s, "registry/2.0") }) {
			return true
		}
	}
	return false
}

// The limits of "bounded".
const (
	maxRepeats  = 6
	tokenPeriod = 30 * time.Second // one more token is allowed for each of these
)

// bounded: nothing is asked for without end.
func bounded(p *seenPush) []finding {
	counts := map[string]int{}
	var found []finding
	for _, e := range p.trace {
		if !e.reached() || e.Route.Op == wire.OpEvent {
			continue
		}
		key := string(e.Route.Op) + " " + about(e)
		if span := e.Request.Header.Get("Content-Range"); span != "" {
			key += " " + span // each chunk is one thing
		}
		counts[key]++
		limit := maxRepeats
		switch e.Route.Op {
		case wire.OpToken:
			limit += int((p.end - p.start) / tokenPeriod)
		case wire.OpUploadStart: // says nothing of what it is for
			limit *= len(p.contents.layers)*max(len(p.tags), 1) + 1
		}
		if counts[key] == limit+1 {
			found = append(found, finding{broken: fmt.Sprintf("%s was sent more than %d times", strings.TrimSpace(key), limit), rules: tokenRules(e), seq: e.Seq})
		}
	}
	return found
}

// tokenRules are the rules by which a token is asked for more often than the
// requests that need it are sent (P-344).
func tokenRules(e seen) []string {
	if e.Route.Op == wire.OpToken {
		return []string{"P-344"}
	}
	return nil
}

// about is what a request is for: the same for two requests that ask the same.
func about(e seen) string {
	r := e.Route
	return strings.TrimSpace(strings.Join([]string{r.Repository, string(r.Digest), r.Tag, r.Session, r.ImageID, e.actor}, " "))
}

// patience: a registry that says wait, or never, is taken at its word.
func patience(p *seenPush) []finding {
	var found []finding
	for i, e := range p.trace {
		wait, hasWait := retryAfter(e)
		code := finalRefusal(e)
		if !hasWait && code == "" || p.foreign != nil && e.Route.Op == wire.OpUploadStart {
			continue // of a foreign client nobody knows for which layer it asked
		}
		for _, later := range p.trace[i+1:] {
			if later.Seq <= e.Until { // it was under way when the answer came
				continue
			}
			if later.Route.Op != e.Route.Op || about(later) != about(e) || later.Request.Host != e.Request.Host || !later.reached() {
				continue
			}
			ended := e.At + e.Elapsed
			switch {
			case code != "" && later.Request.Header.Get("Authorization") == e.Request.Header.Get("Authorization"):
				found = append(found, finding{broken: fmt.Sprintf("%s was sent again after it was refused with %s in #%d", label(later), code, e.Seq), rules: repeatRules(e), seq: later.Seq})
			case hasWait && later.At < ended+wait:
				found = append(found, finding{broken: fmt.Sprintf("%s was sent again %s after #%d, which said Retry-After: %s",
					label(later), (later.At - ended).Round(time.Millisecond), e.Seq, wait), rules: repeatRules(e), seq: later.Seq})
			}
			break
		}
	}
	return found
}

// repeatRules are the rules by which dockers since 1.10 ask again what they were
// told not to: another format of a manifest (P-375), a layer without a look at
// Retry-After (P-343) or after a bare code (P-346).
func repeatRules(e seen) []string {
	if e.Route.Op == wire.OpManifestPut {
		return []string{"P-375", "P-398"}
	}
	return []string{"P-343", "P-346", "P-398"}
}

// maxPatience is the longest Retry-After that a client must keep to: a longer one
// is absurd, and it may give up or come back earlier.
const maxPatience = time.Hour

// retryAfter reads Retry-After of an error, in seconds or as a date.
func retryAfter(e seen) (time.Duration, bool) {
	value := e.Response.Header.Get("Retry-After")
	if value == "" || e.Response.Status < 400 {
		return 0, false
	}
	if n, err := strconv.Atoi(value); err == nil && n > 0 && n <= int(maxPatience/time.Second) {
		return time.Duration(n) * time.Second, true
	}
	date, err := http.ParseTime(value)
	now, noNow := http.ParseTime(e.Response.Header.Get("Date"))
	if noNow != nil {
		now = clock.Epoch.Add(e.At + e.Elapsed)
	}
	if wait := date.Sub(now); err == nil && wait > 0 && wait <= maxPatience {
		return wait, true
	}
	return 0, false
}

// finalRefusals are the codes after which asking again makes no sense.
var finalRefusals = [...]string{"DENIED", "UNSUPPORTED", "NAME_INVALID", "MANIFEST_UNVERIFIED"}

// finalRefusal is the code of an answer that is final; "" for any other.
func finalRefusal(e seen) string {
	if e.Response.Status < 400 || e.Response.Status > 499 {
		return ""
	}
	var body struct {
		Errors []struct{ Code string }
	}
	if json.Unmarshal(e.Response.Body.Head, &body) != nil || len(body.Errors) == 0 {
		return ""
	}
	if slices.Contains(finalRefusals[:], body.Errors[0].Code) {
		return body.Errors[0].Code
	}
	return ""
}

// noDoubleCount: bytes are not sent twice into one session.
func noDoubleCount(p *seenPush) []finding {
	unsure := map[string]int{} // session → exchange that may have left bytes in it

	var found []finding
	for _, e := range p.trace {
		session := e.Route.Session
		if session == "" {
			continue
		}
		switch e.Route.Op {
		case wire.OpUploadStatus:
			if e.succeeded() {
				delete(unsure, session)
			}
		case wire.OpUploadPatch, wire.OpUploadPut:
			if e.Request.Body.Length == 0 {
				continue
			}
			if before, ok := unsure[session]; ok {
				found = append(found, finding{
					broken: fmt.Sprintf("%s sent %d bytes into the session of #%d, which may have taken them", label(e), e.Request.Body.Length, before),
					seq:    e.Seq,
				})
			}
			if e.Response.Status == 0 && e.reached() {
				unsure[session] = e.Seq
			}
		}
	}
	return found
}

// cleanUp: sessions are committed or cancelled.
func cleanUp(p *seenPush) []finding {
	var abandoned, cancelled []string
	asked := map[string]bool{} // sessions whose cancel was answered 401
	first := 0
	for _, e := range p.trace {
		session := sessionOf(e)
		switch {
		case session == "":
		case e.Route.Op == wire.OpUploadCancel && !e.succeeded():
			if !triedToCancel(e, asked[session]) {
				asked[session] = asked[session] || e.Response.Status == http.StatusUnauthorized
				continue
			}
			abandoned = slices.DeleteFunc(abandoned, func(s string) bool { return s == session })
		case !e.succeeded():
		case e.Route.Op == wire.OpUploadStart, e.Route.Op == wire.OpUploadMount && e.Response.Status == http.StatusAccepted:
			abandoned = append(abandoned, session)
			first = max(first, e.Seq)
		case e.Route.Op == wire.OpUploadPut, e.Route.Op == wire.OpUploadCancel:
			if e.Route.Op == wire.OpUploadCancel {
				cancelled = append(cancelled, session)
			}
			abandoned = slices.DeleteFunc(abandoned, func(s string) bool { return s == session })
		}
	}
	rules := []string{"P-208", "P-582"}
	switch {
	case len(cancelled) > 0 && len(abandoned) == 0:
		return []finding{{rules: rules}} // tempted, and it cleaned up
	case len(abandoned) == 0, p.after.uploads >= 0 && p.after.uploads <= p.before.uploads:
		return nil // there were none, or the registry forgot them
	}
	return []finding{{
		broken: fmt.Sprintf("%d upload sessions were neither committed nor cancelled", len(abandoned)),
		rules:  rules, seq: first,
	}}
}

// triedToCancel reports whether a client whose cancel had no success has done its
// part. One that is asked who it is has not, unless it was asked before; nor has one
// that let go of its own request without a fault that held it.
func triedToCancel(e seen, asked bool) bool {
	switch {
	case e.Response.Status == http.StatusUnauthorized:
		return asked
	case e.Failure == wire.FailureCancelled:
		return e.Fault != ""
	}
	return true
}

// quietEnd: nothing goes on after the end.
func quietEnd(p *seenPush) []finding {
	var found []finding
	for _, e := range p.late {
		found = append(found, finding{broken: label(e) + " was sent after the outcome was reported", seq: e.Seq})
	}
	for _, what := range p.leftovers {
		found = append(found, finding{broken: what + " outlived the push"})
	}
	return found
}

// expectedTraffic: every request belongs to the protocol and to the scenario's hosts.
func expectedTraffic(p *seenPush) []finding {
	hosts := append(slices.Clone(p.registry), p.realms...)
	var found []finding
	astray, lost := false, false
	for _, e := range p.trace {
		astray = astray || strayRules(e) != nil && e.Route.Op == wire.OpOther
		lost = lost || e.Route.Op == wire.OpUploadStart && e.Response.Status == http.StatusAccepted && e.Response.Header.Get("Location") == ""
		switch {
		case e.Route.Op == wire.OpOther && e.reached():
			found = append(found, finding{broken: fmt.Sprintf("%s %s is no request of a registry protocol%s",
				e.Request.Method, pathOnly(e.Request.Target), nearMiss(e)), rules: strayRules(e), seq: e.Seq})
		case e.Request.Host != "" && len(hosts) > 0 && !slices.Contains(hosts, e.Request.Host):
			found = append(found, finding{broken: fmt.Sprintf("%s went to %s, which is no host of the scenario", label(e), e.Request.Host), rules: []string{"P-395"}, seq: e.Seq})
		}
	}
	if lost && !astray {
		found = append(found, finding{rules: []string{"P-201"}}) // tempted, and it did not go astray
	}
	return found
}

func pathOnly(target string) string {
	p, _, _ := strings.Cut(target, "?")
	return p
}

// strayRules are the rules that explain a stray request: the address of a POST is
// taken for the location that its answer lacks (P-201).
func strayRules(e seen) []string {
	if e.Request.Method != http.MethodPost && strings.HasSuffix(pathOnly(e.Request.Target), "/blobs/uploads/") {
		return []string{"P-201"}
	}
	return nil
}

// nearMiss says what a stray request may have been meant for.
func nearMiss(e seen) string {
	p := pathOnly(e.Request.Target)
	for _, hint := range [...]struct{ part, name string }{
		{"/blobs/uploads", "an upload"},
		{"/blobs/", "a blob"},
		{"/manifests/", "a manifest"},
		{"/images/", "a V1 image"},
		{"/repositories/", "a V1 repository"},
		{"token", "a token"},
	} {
		if strings.Contains(p, hint.part) {
			return "; it looks like one for " + hint.name
		}
	}
	return ""
}
