package scenarios_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What cannot run is said by the decoder, at the value.
func TestDecodeBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, column, want string }{
		{"{conn-limit: , max: 0}", "25+1", "max of conn-limit: 0 is not a whole number from 1 to 1048576"},
		{"{dribble: , size: 0B}", "23+2", "size of dribble: 0B is not a size such as 64KiB or 4096 from 1B to 1TiB"},
		{"{rate-limit: , allow: -4}", "27+2", "allow of rate-limit: -4 is not a whole number from 1 to 1073741824"},
		{"{respond: ping, status: 101}", "29+3", "status of respond: 101 is not a status from 200 to 599"},
		{`{redirect: ping, to: "http://[::1"}`, "26+13", `to of redirect: "http://[::1" is not an address: want one such as http://host/path, or a host`},
		{"{token-ttl: , ttl: ∞}", "24+1", "ttl of token-ttl: ∞ is not a time such as 500ms or 5s of at least 1s"},
		{"{corrupt: , bits: -3}", "23+2", "bits of corrupt: -3 is not a whole number from 1 to 1048576"},
		{"{corrupt: , bits: 2000000000}", "23+10", "bits of corrupt: 2000000000 is not a whole number from 1 to 1048576"},
		{"{garbage: , bytes: -1}", "24+2", "bytes of garbage: -1 is not a whole number from 1 to 16777216"},
		{"{dns-moves: , after: -3}", "26+2", "after of dns-moves: -3 is not a whole number from 0 to 1048576"},
		{"{error-many: , codes: []}", "27+2", "codes of error-many: [] is not a text or a list of texts that is not empty"},
		{"{bit-rot: , at: nonsense.op}", "21+11", `at of bit-rot "nonsense.op" is neither an operation nor an event nor a fault`},
		{"{header-flood: , size: 50GiB}", "28+5", "size of header-flood: 50GiB is not a size such as 64KiB or 4096 from 1B to 16MiB"},
		{`{respond: ping, headers: {"bad name": x}}`, "31+13", `headers of respond: "bad name" is not the name of a header: want letters, digits and dashes`},
		{`{type-wrong: ping, to: "a\r\nb"}`, "28+8", `to of type-wrong: "a\r\nb" cannot stand in a header: want no line ends nor other control characters`},
		{"{delay: , by: ∞, jitter: 1s}", "6+26", "delay: jitter: want a time that ends, and of one that ends"},
		{"{session-offset: , by: 0}", "6+23", "session-offset: by: 0 changes nothing"},
	} {
		want := []string{fmt.Sprintf("4:%s %s", tt.column, tt.want)}
		if diff := cmp.Diff(want, problemsOf(t, good+"faults:\n  - "+tt.fault+"\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.fault, diff)
		}
	}
	want := []string{"3:24+3 a registry has either kind, url or run; this one has kind and url"}
	if diff := cmp.Diff(want, problemsOf(t, good+"registry: {kind: fake, url: http://127.0.0.1:1}\n")); diff != "" {
		t.Errorf("a registry of two kinds (-want +got):\n%s", diff)
	}
}
