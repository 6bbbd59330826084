package fakeregistry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

func TestEveryKindIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range fakeregistry.Kinds() {
		if seen[k.Name] {
			t.Errorf("%s is there twice", k.Name)
		}
		seen[k.Name] = true
		if k.Layer == "" || k.Seam == 0 || len(k.Where) == 0 || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s is not complete: %+v", k.Name, k)
		}
		for _, place := range k.Where {
			if _, err := wire.ParsePattern(place); err != nil {
				t.Errorf("%s: %v", k.Name, err)
			}
		}
		for _, p := range k.Params {
			if p.Name == "" || p.Type == 0 || p.Doc == "" {
				t.Errorf("%s: parameter %+v is not complete", k.Name, p)
			}
			if p.Default != nil {
				if err := p.Check(p.Default); err != nil {
					t.Errorf("%s: the default of %s: %v", k.Name, p.Name, err)
				}
			}
		}
		if e, err := k.Make(nil); err != nil || e == nil {
			t.Errorf("%s with all defaults: %v, %v", k.Name, e, err)
		}
		s, err := fakeregistry.Start(fakeregistry.Config{Registry: handler(echo), Faults: []fakeregistry.Fault{fault(t, k.Name, "")}})
		if err != nil {
			t.Errorf("%s at its usual place: %v", k.Name, err)
			continue
		}
		_ = s.Close()
	}
}

// documented is the catalogue by layer, in the order of the documentation.
var documented = [...]struct{ layer, names string }{
	{"dns", `dns-nxdomain dns-servfail dns-slow dns-moves dns-dead-v6`},
	{"tcp", `refuse blackhole accept-stall reset close half-close idle-kill throttle dribble conn-limit`},
	{"tls", `tls-expired tls-wrong-host tls-untrusted tls-incomplete-chain tls-old tls-stall tls-plaintext tls-client-cert tls-cut
		tls-rotates tls-alpn`},
	{"http", `empty-reply garbage short-body long-body bad-chunk length-required early-answer continue-never h2-goaway h2-reset http10
		header-flood`},
	{"headers", `location-relative location-downgrade location-elsewhere location-missing location-mangled range-missing range-stuck
		range-off-by-one range-short digest-missing digest-wrong version-missing type-wrong warning min-chunk`},
	{"status", `respond unavailable too-many gateway-timeout too-large chunk-too-large denied immutable-tag quota read-only redirect
		redirect-loop captive-portal`},
	{"body", `error-html error-empty error-many error-unknown corrupt gzip-response`},
	{"auth", `no-challenge odd-challenge realm-down realm-elsewhere token-garbage token-ttl expire-token scope-narrowed
		insufficient-scope clock-skew lazy-auth auth-loop challenge-changes`},
	{"protocol", `head-lies head-size-lies head-refused session-vanishes session-doubles session-offset commit-lost commit-slow
		commit-fake commit-later commit-unchecked mount-ignored mount-denied mount-lies gc-strikes pull-through-lag schema2-refused
		manifest-rewritten tag-race v2-half v1-busy v1-endpoints v1-no-token v1-checksum`},
	{"storage", `disk-full write-error read-after-write bit-rot upload-purged restart`},
	{"timing", `delay stall rate-limit retry-after-absurd clock-jump slow-reader`},
}

func TestTheCatalogueHasAHundredAndTwentyOneFaultsInTheirOrder(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, layer := range documented {
		for _, name := range strings.Fields(layer.names) {
			want = append(want, layer.layer+" "+name)
		}
	}
	for _, k := range fakeregistry.Kinds() {
		got = append(got, k.Layer+" "+k.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 121 {
		t.Errorf("%d faults (-want +got):\n%s", len(got), diff)
	}
}

func TestNewFaultSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, where, setting, want string
	}{
		{"resset", "", "", `fault "resset": there is no such fault in the catalogue`},
		{"reset", "upload.ptch", "", "upload.ptch is not an operation"},
		{"reset", "", "after", `setting "after": want name=value`},
		{"reset", "", "afer=1MiB", "afer: reset has no such parameter; it takes after, side"},
		{"reset", "", "after=many", `after: "many" is not a size such as 64KiB or 4096`},
		{"reset", "", "side=left", `side: "left" is not one of request, response`},
		{"reset", "", "nth=first", `nth: "first" is not understood`},
		{"respond", "", "status=700", "700 is not a status from 200 to 599"},
		{"respond", "", "status=100", "100 is not a status from 200 to 599"},
		{"throttle", "", "rate=30KiB", "a rate such as 30KiB/s"},
		{"delay", "", "by=5", "a time such as 500ms, 5s or ∞"},
		{"gc-strikes", "", "what=layer1", "is not a digest"},
		{"commit-lost", "", "by=1s", "commit-lost has no such parameter; it takes none"},
	} {
		var settings []string
		if row.setting != "" {
			settings = []string{row.setting}
		}
		_, err := fakeregistry.NewFault(row.name, row.where, settings...)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s %s %s: error %v, want it to contain %q", row.name, row.where, row.setting, err, row.want)
		}
	}
	k, _ := fakeregistry.KindOf("reset")
	if _, err := k.Make(fakeregistry.Args{"after": "1MiB", "x": 1}); err == nil || !strings.Contains(err.Error(), "after: 1MiB is not") && !strings.Contains(err.Error(), `"1MiB"`) || !strings.Contains(err.Error(), "x: reset has no such parameter") {
		t.Errorf("Make: %v", err)
	}
}

func TestParametersAreRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind fakeregistry.ParamType
		text string
		want any
	}{
		{fakeregistry.ParamString, " a b ", "a b"},
		{fakeregistry.ParamInt, "+1", int64(1)},
		{fakeregistry.ParamInt, "-2", int64(-2)},
		{fakeregistry.ParamSize, "4096", int64(4096)},
		{fakeregistry.ParamSize, "64 KiB", int64(65536)},
		{fakeregistry.ParamSize, "2MB", int64(2e6)},
		{fakeregistry.ParamDuration, "1m30s", 90 * time.Second},
		{fakeregistry.ParamDuration, "∞", time.Duration(-1)},
		{fakeregistry.ParamRate, "30KiB/s", int64(30720)},
		{fakeregistry.ParamBool, "true", true},
		{fakeregistry.ParamStatus, "503", int64(503)},
		{fakeregistry.ParamStrings, "a, b", []string{"a", "b"}},
		{fakeregistry.ParamMap, "A: b, C:d", map[string]string{"A": "b", "C": "d"}},
	} {
		got, err := fakeregistry.Param{Type: row.kind}.Parse(row.text)
		if err != nil || !cmp.Equal(got, row.want) {
			t.Errorf("%v %q is %v, %v; want %v", row.kind, row.text, got, err, row.want)
		}
	}
	for _, text := range []string{"", "-1", "1XB", "99999999999GiB"} {
		if got, err := (fakeregistry.Param{Type: fakeregistry.ParamSize}).Parse(text); err == nil {
			t.Errorf("size %q is %v, want an error", text, got)
		}
	}
	if got := fmt.Sprint(fakeregistry.SeamStorage); got != "storage" {
		t.Errorf("SeamStorage prints as %q", got)
	}
}

// Every number, size, time and status has an end, and what lies beyond is refused.
func TestBoundsAreKept(t *testing.T) {
	t.Parallel()
	for _, k := range fakeregistry.Kinds() {
		for _, p := range k.Params {
			low, high := p.Bounds()
			outside := map[fakeregistry.ParamType]any{
				fakeregistry.ParamSize: high + 1, fakeregistry.ParamRate: low - 1, fakeregistry.ParamStatus: low - 1,
				fakeregistry.ParamDuration: time.Duration(high) + 1,
			}
			if p.Type == fakeregistry.ParamInt && p.Name != "seed" {
				outside[p.Type] = low - 1
			}
			if v := outside[p.Type]; v != nil && p.Check(v) == nil || p.Type == fakeregistry.ParamInt && v == nil && p.Name != "seed" {
				t.Errorf("%s takes %v as its %s", k.Name, v, p.Name)
			}
		}
	}
}
