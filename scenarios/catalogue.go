package scenarios

import (
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// catalogue names every fault of the format, by layer. Those that
// fakeregistry.Kinds does not have are known by name: a scenario that uses one is
// skipped with that reason.
var catalogue = [...]struct{ layer, names string }{
	{"dns", "dns-nxdomain dns-servfail dns-slow dns-moves dns-dead-v6"},
	{"tcp", "refuse blackhole accept-stall reset close half-close idle-kill throttle dribble conn-limit"},
	{"tls", "tls-expired tls-wrong-host tls-untrusted tls-incomplete-chain tls-old tls-stall tls-plaintext tls-client-cert " +
		"tls-cut tls-rotates tls-alpn"},
	{"http framing", "empty-reply garbage short-body long-body bad-chunk length-required early-answer continue-never h2-goaway " +
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

// faultNames lists the whole catalogue: what is built and what is known by name.
func faultNames() []string {
	var list []string
	seen := map[string]bool{}
	for _, layer := range catalogue {
		for _, name := range strings.Fields(layer.names) {
			list = append(list, name)
			seen[name] = true
		}
	}
	for _, k := range fakeregistry.Kinds() {
		if !seen[k.Name] {
			list = append(list, k.Name)
		}
	}
	return list
}

// faultLayer is the layer of a fault of the catalogue; "" when there is none.
func faultLayer(name string) string {
	for _, layer := range catalogue {
		for _, n := range strings.Fields(layer.names) {
			if n == name {
				return layer.layer
			}
		}
	}
	return ""
}

// adapters are the foreign clients that the format knows by name. None of them
// is driven in this version.
var adapters = []string{"docker", "podman", "skopeo", "crane", "oras", "regctl", "ctr", "nerdctl", "buildx", "kaniko"}

// eraNames are the builtin pushers that the format knows by name, oldest first.
// Those that pusher.Eras does not have are skipped.
var eraNames = []string{
	"docker-1.8", "docker-1.9", "docker-1.10", "docker-1.13", "docker-20.10", "docker-28", "containerd", "best",
}

// formats are the manifest formats that a registry can be told to accept.
var formats = []string{"schema1", "schema2", "oci", "list", "index"}
