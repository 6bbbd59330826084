package fakeregistry

import (
	"slices"
	"strings"
)

// order is every fault by layer, in the order of the documentation.
var order = [...]struct{ layer, names string }{
	{"dns", "dns-nxdomain dns-servfail dns-slow dns-moves dns-dead-v6"},
	{"tcp", "refuse blackhole accept-stall reset close half-close idle-kill throttle dribble conn-limit"},
	{"tls", "tls-expired tls-wrong-host tls-untrusted tls-incomplete-chain tls-old tls-stall tls-plaintext tls-client-cert " +
		"tls-cut tls-rotates tls-alpn"},
	{"http", "empty-reply garbage short-body long-body bad-chunk length-required early-answer continue-never h2-goaway " +
		"h2-reset http10 header-flood"},
	{"headers", "location-relative location-downgrade location-elsewhere location-missing location-mangled range-missing " +
		"range-stuck range-off-by-one range-short digest-missing digest-wrong version-missing type-wrong warning min-chunk"},
	{"status", "respond unavailable too-many gateway-timeout too-large chunk-too-large denied immutable-tag quota read-only " +
		"redirect redirect-loop captive-portal"},
	{"body", "error-html error-empty error-many error-unknown corrupt gzip-response"},
	{"auth", "no-challenge odd-challenge realm-down realm-elsewhere token-garbage token-ttl expire-token scope-narrowed " +
		"insufficient-scope clock-skew lazy-auth auth-loop challenge-changes"},
	{"protocol", "head-lies head-size-lies head-refused session-vanishes session-doubles session-offset commit-lost commit-slow " +
		"commit-fake commit-later commit-unchecked mount-ignored mount-denied mount-lies gc-strikes pull-through-lag schema2-refused " +
		"manifest-rewritten tag-race v2-half v1-busy v1-endpoints v1-no-token v1-checksum"},
	{"storage", "disk-full write-error read-after-write bit-rot upload-purged restart"},
	{"timing", "delay stall rate-limit retry-after-absurd clock-jump slow-reader"},
}

// inOrder sorts kinds into the order of the documentation. Those that are not in
// it come last.
func inOrder(kinds []Kind) []Kind {
	place := map[string]int{}
	for _, layer := range order {
		for name := range strings.FieldsSeq(layer.names) {
			place[name] = len(place) + 1
		}
	}
	rank := func(k Kind) int {
		if n := place[k.Name]; n > 0 {
			return n
		}
		return len(place) + 1
	}
	slices.SortStableFunc(kinds, func(a, b Kind) int { return rank(a) - rank(b) })
	return kinds
}
