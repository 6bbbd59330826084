package replay

import (
	"net/url"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// routeOf is what a recorded request is about.
func routeOf(method, path string) wire.Route {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return wire.Route{Op: wire.OpOther}
	}
	return wire.ParseRoute(method, u)
}

// toHost puts the word for an address in its place, and for the client's ports.
func toHost(s, host string) string {
	s = strings.ReplaceAll(s, host, recording.Host)
	return ephemeral(s)
}

// ephemeral puts the word for a client's port in the place of each: the digits
// before "->", or before what JSON makes of it.
func ephemeral(s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "127.0.0.1:")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		i += len("127.0.0.1:")
		b.WriteString(s[:i])
		s = s[i:]
		rest := strings.TrimLeft(s, "0123456789")
		if len(rest) < len(s) && (strings.HasPrefix(rest, "->") || strings.HasPrefix(rest, `-\u003e`)) {
			b.WriteString(recording.Ephemeral)
			s = rest
		}
	}
}

// A reason names why something that is not equal letter by letter counts as
// equal all the same. Each is outside docker's own code.
type reason string

// The reasons. There are no others.
const (
	// resetWords: which of Go's words tells a broken connection depends on what the
	// kernel did first.
	resetWords reason = "reset-words: Go tells a broken connection in three ways, and they race"
	// resetProgress: how much was written when the connection broke depends on the
	// kernel's buffers.
	resetProgress reason = "reset-progress: how much was written before the connection broke depends on the kernel"
	// earlyProgress: how much was written when an early answer was seen is a race.
	earlyProgress reason = "early-progress: how much is written before an early answer is seen is a race"
	// racingLookups: V1 asks for images in parallel.
	racingLookups reason = "racing-lookups: answers to parallel look-ups come in any order"
	// racingPushes: concurrent pushes begin in any order.
	racingPushes reason = "racing-pushes: pushes that begin at once overtake each other"
	// spareConnections: clients dial ahead.
	spareConnections reason = "spare-connections: a client opens connections ahead that it may not need"
	// racingRequests: a client does several things at once.
	racingRequests reason = "racing-requests: a client that does several things at once does them in any order"
	// layerBytes: V1's layers are compressed as they are read, and the pieces show.
	layerBytes reason = "layer-bytes: the pieces in which a layer is read show in its compressed bytes"
	// plainOnTLS: what a TLS port makes of plain HTTP is the recorder's own.
	plainOnTLS reason = "plain-on-tls: the recorder did not see an attempt at plain HTTP on its TLS port"
	// beforeStream: the recorder printed what the API answers with a status.
	beforeStream reason = "before-stream: the error came before the stream began"
)

// brokenWords are the ways in which Go tells that a connection broke. What comes
// before says which side noticed.
var brokenWords = [...]string{
	"connection reset by peer", "broken pipe", "use of closed network connection",
	"EOF", "unexpected EOF", "An existing connection was forcibly closed by the remote host.",
	"An established connection was aborted by the software in your host machine.",
}

// withoutBroken cuts off how a text tells a broken connection. It reports whether
// it does.
func withoutBroken(text string) (before string, broken bool) {
	for _, words := range brokenWords {
		rest, ok := strings.CutSuffix(text, words)
		if !ok {
			continue
		}
		for _, op := range [...]string{"readfrom tcp ", "read tcp ", "write tcp "} {
			if i := strings.LastIndex(rest, op); i >= 0 {
				return rest[:i], true
			}
		}
		return rest, true
	}
	return text, false
}

// sameError compares two error texts. A reason is given when they differ in how
// they tell a broken connection only.
func sameError(recorded, played string) (same bool, why reason) {
	if recorded == played {
		return true, ""
	}
	a, okA := withoutBroken(recorded)
	b, okB := withoutBroken(played)
	if okA && okB && a == b {
		return true, resetWords
	}
	return false, ""
}
