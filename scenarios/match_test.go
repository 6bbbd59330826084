package scenarios

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// Digests and IDs of the layers that the traces of these tests are about.
var (
	digest1 = digest.FromString("one")
	digest2 = digest.FromString("two")
	id1     = strings.Repeat("1", 64)
	id2     = strings.Repeat("2", 64)
)

func twoLayers() *contents {
	return &contents{layers: []content{
		{name: "layer1", id: id1, v1ID: id1, digest: digest1, size: 100, tar: 300},
		{name: "layer2", id: id2, v1ID: id2, digest: digest2, size: 200, tar: 400},
	}}
}

// ex makes an exchange: "upload.put 201", "blob.head reset".
func ex(text string, edit ...func(*wire.Exchange)) wire.Exchange {
	op, answer, _ := strings.Cut(text, " ")
	e := wire.Exchange{Route: wire.Route{Op: wire.Op(op), Repository: "a/b"}}
	e.Request.Host, e.Request.Scheme, e.Request.Header, e.Response.Header = "h:1", "http", http.Header{}, http.Header{}
	if len(answer) == 3 && answer[0] >= '1' && answer[0] <= '5' {
		for _, d := range answer {
			e.Response.Status = e.Response.Status*10 + int(d-'0')
		}
	} else {
		for f := wire.FailureNone; f <= wire.FailureOther; f++ {
			if f.String() == answer {
				e.Failure = f
			}
		}
	}
	for _, f := range edit {
		f(&e)
	}
	return e
}

func of(d digest.Digest) func(*wire.Exchange) { return func(e *wire.Exchange) { e.Route.Digest = d } }

func ofImage(id string) func(*wire.Exchange) { return func(e *wire.Exchange) { e.Route.ImageID = id } }

func inSession(s string) func(*wire.Exchange) { return func(e *wire.Exchange) { e.Route.Session = s } }

func withTag(tag string) func(*wire.Exchange) { return func(e *wire.Exchange) { e.Route.Tag = tag } }

func to(host string) func(*wire.Exchange) { return func(e *wire.Exchange) { e.Request.Host = host } }

func over(scheme string) func(*wire.Exchange) {
	return func(e *wire.Exchange) { e.Request.Scheme = scheme }
}

func asking(name, value string) func(*wire.Exchange) {
	return func(e *wire.Exchange) { e.Request.Header.Set(name, value) }
}

func saying(name, value string) func(*wire.Exchange) {
	return func(e *wire.Exchange) { e.Response.Header.Set(name, value) }
}

func telling(text string) func(*wire.Exchange) {
	return func(e *wire.Exchange) { e.Response.Body.Head = []byte(text) }
}

func sending(n int64) func(*wire.Exchange) {
	return func(e *wire.Exchange) { e.Request.Body = wire.Body{Length: n, Digest: digest.FromString("?")} }
}

func at(from, took time.Duration) func(*wire.Exchange) {
	return func(e *wire.Exchange) { e.At, e.Elapsed = from, took }
}

func struckBy(fault string) func(*wire.Exchange) { return func(e *wire.Exchange) { e.Fault = fault } }

// tr makes a trace and numbers it.
func tr(list ...wire.Exchange) []seen {
	for i := range list {
		list[i].Seq = i + 1
	}
	return twoLayers().annotate(list)
}

// eventsOf decodes a list of events.
func eventsOf(t *testing.T, yaml string) []Event {
	t.Helper()
	list, err := Decode("x", []byte("scenario: x\npush: a/b:v1\nexpect: {wire: "+yaml+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return list[0].Expect.Wire
}

func upload(d digest.Digest, session string) []wire.Exchange {
	return []wire.Exchange{
		ex("upload.start 202", saying("Location", "http://h:1/v2/a/b/blobs/uploads/"+session+"?_state=x")),
		ex("upload.patch 202", inSession(session), sending(5)),
		ex("upload.put 201", inSession(session), of(d)),
		ex("blob.head 200", of(d)),
	}
}

func twoUploads() []seen {
	list := []wire.Exchange{ex("ping tls", over("https")), ex("ping 200")}
	list = append(append(list, upload(digest2, "s2")...), upload(digest1, "s1")...)
	return tr(append(list, ex("manifest.put 201", withTag("v1")))...)
}

func oneByOne() []seen {
	return tr(ex("v1.json.get 404", ofImage(id2)), ex("v1.json.get 404", ofImage(id1)),
		ex("v1.json.put 200", ofImage(id1)), ex("v1.layer.put 200", ofImage(id1)),
		ex("v1.json.put 200", ofImage(id2)), ex("v1.layer.put 200", ofImage(id2)))
}

func TestOrderedWithGaps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, events string
		trace        []seen
		part, why    string // of the miss; "" when it matches
	}{
		{"in order", "[ping: 200, upload.start, manifest.put: 201]", twoUploads(), "", ""},
		{"out of order", "[manifest.put: 201, ping: 200]", twoUploads(), "wire[2]", ""},
		{"another answer", "[ping: 200, manifest.put: 500]", twoUploads(), "wire[2]", "was answered 201, not 500"},
		{"the start of an upload is of what its session ends with", "[upload.start: {digest: layer1}, upload.patch: {digest: layer1}, manifest.put]", twoUploads(), "", ""},
		{"the other layer came first", "[upload.put: {digest: layer1}, upload.put: {digest: layer2}]", twoUploads(), "wire[2]", ""},
		{"a later one serves where the first does not fit what follows", "[upload.start, upload.put: {digest: layer1}, blob.head]", twoUploads(), "", ""},
		{"each layer", "[each: layers, wire: [upload.start: 202, upload.put: 201]]", twoUploads(), "?", ""},
		{"each", "[{each: layers, wire: [upload.start: 202, upload.put: 201, blob.head: 200]}, manifest.put]", twoUploads(), "", ""},
		{"each, and one of them is missing", "[{each: layers, wire: [upload.start: 202, upload.mount]}, manifest.put]", twoUploads(), "wire[1].wire[2]", ""},
		{"each by image ID", "[{each: layers, wire: [v1.json.get: 404]}, {each: layers, wire: [v1.json.put: 200, v1.layer.put: 200]}]", oneByOne(), "", ""},
		{"after each", "[{each: layers, wire: [v1.layer.put: 200]}, v1.json.get]", oneByOne(), "wire[2]", ""},
		{"in any order", "[any-order: [manifest.put, ping: 200, upload.put: {digest: layer1}]]", twoUploads(), "", ""},
		{"in any order, but twice the same", "[any-order: [manifest.put, manifest.put]]", twoUploads(), "wire[1].any-order[2]", ""},
		{"an attempt that reached nobody", "[ping: tls, ping: 200]", twoUploads(), "", ""},
		{"by the layer where it ended", "[tls, ping: 200]", twoUploads(), "", ""},
		{"bytes", "[upload.patch: {bytes: 5B}]", twoUploads(), "", ""},
		{"other bytes", "[upload.patch: {bytes: \"> 1KiB\"}]", twoUploads(), "wire[1]", "sent 5B, not >= 1025B"},
		{"a gap", "[upload.patch: reset, upload.start: {gap: \">= 5s\"}]", tr(
			ex("upload.patch reset", at(time.Second, time.Second)), ex("upload.start 202", at(3*time.Second, 0)), ex("upload.start 202", at(7*time.Second, 0)),
		), "", ""},
		{"no gap", "[upload.patch: reset, upload.start: {gap: \">= 5s\"}]", tr(
			ex("upload.patch reset", at(time.Second, time.Second)), ex("upload.start 202", at(3*time.Second, 0)),
		), "wire[2]", "came after 1s, not >= 5s"},
		{"a reset that the kernel tells as a close", "[upload.patch: reset]", tr(ex("upload.patch closed", struckBy("reset"))), "", ""},
		{"a close", "[upload.patch: reset]", tr(ex("upload.patch closed")), "wire[1]", "was answered closed, not reset"},
		{"where a chunk begins", "[upload.patch: {from: \"> 0\"}]", tr(ex("upload.patch 202", asking("Content-Range", "0-4")), ex("upload.patch 202", asking("Content-Range", "5-9"))), "", ""},
		{"a range", "[upload.status: {range: 0-4..9}]", tr(ex("upload.status 204", saying("Range", "0-7"))), "", ""},
		{"another range", "[upload.status: {range: 0-4}]", tr(ex("upload.status 204", saying("Range", "0-7"))), "wire[1]", `answered Range "0-7", not 0-4`},
		{"a scheme", "[ping: {auth: basic}]", tr(ex("ping 200", asking("Authorization", "Basic eA=="))), "", ""},
		{"no credentials", "[ping: {auth: none}]", tr(ex("ping 200", asking("Authorization", "Bearer x"))), "wire[1]", "had auth bearer, not none"},
		{"a header", "[ping: {header: {X: y, Z: null, W: \"*\"}}]", tr(ex("ping 200", asking("X", "y"), asking("W", "v"))), "", ""},
		{"a header too many", "[ping: {header: {X: null}}]", tr(ex("ping 200", asking("X", "y"))), "wire[1]", "had header X, which should be absent"},
		{"a header of the answer", "[ping: {answer-header: {X: \"a*c*\", Y: aabb, Z: null}}]", tr(ex("ping 200", saying("X", "abcd"), saying("Y", "aabb"), asking("Z", "z"))), "", ""},
		{"another header of the answer", "[ping: {answer-header: \"X: *ab*ab*\"}]", tr(ex("ping 200", saying("X", "cab"))), "wire[1]", `had X ["cab"], not "*ab*ab*"`},
		{"a body of the answer", "[ping: {answer-body: oops}]", tr(ex("ping 200", telling("so oops it is"))), "", ""},
		{"another body of the answer", "[ping: {answer-body: oops}]", tr(ex("ping 200", telling("fine"))), "wire[1]", `was answered without "oops" in the body`},
		{"a host of the scenario", "[ping: {host: host2}]", tr(ex("ping 200", to("h:1")), ex("ping 200", to("h:2"))), "", ""},
		{"another host", "[ping: {host: host2}]", tr(ex("ping 200", to("h:1"))), "wire[1]", "went to h:1, not host2"},
		{"a format by its type", "[manifest.put: {media: schema2}]", tr(ex("manifest.put 201", asking("Content-Type", "application/vnd.docker.distribution.manifest.v2+json"))), "", ""},
		{"another repository", "[ping: {repo: c/d}]", tr(ex("ping 200")), "wire[1]", `had repository "a/b", not "c/d"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.part == "?" {
				return // a list item that is not one: see TestDecodeProblems
			}
			m := matcher{contents: twoLayers(), hosts: []string{"h:1", "h:2"}}
			got := m.ordered(eventsOf(t, tt.events), tt.trace, "wire")
			switch {
			case got == nil && tt.part != "":
				t.Errorf("it matches, but should miss %s", tt.part)
			case got != nil && (got.part != tt.part || got.why != tt.why):
				t.Errorf("it misses %q (%s), want %q (%s)", got.part, got.why, tt.part, tt.why)
			}
		})
	}
}

func TestExactly(t *testing.T) {
	t.Parallel()
	whole := "[ping: tls, ping: 200, {each: layers, wire: [upload.start: 202, upload.patch: 202, upload.put: 201, blob.head: 200]}, manifest.put: 201]"
	for _, tt := range []struct {
		name, events string
		trace        []seen
		part, reason string
	}{
		{"all of it", whole, twoUploads(), "", ""},
		{"the end is missing", "[ping: tls, ping: 200]", twoUploads(), "wire", "upload.start of layer2@202 is not in the list"},
		{"something lies between", "[ping: tls, ping: 200, manifest.put: 201]", twoUploads(), "wire[3]", ""},
		{"one too few happened", whole, twoUploads()[:9], "wire[3].wire[4]", ""},
		{"in any order", "[any-order: [v1.json.get: {digest: layer1}, v1.json.get: {digest: layer2}]]", oneByOne()[:2], "", ""},
		{"in any order, but not all", "[any-order: [v1.json.get: {digest: layer1}, v1.json.get: {digest: layer1}]]", oneByOne()[:2], "wire[1].any-order[1]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := matcher{contents: twoLayers()}.exactly(eventsOf(t, tt.events), tt.trace, "wire")
			switch {
			case got == nil && tt.part != "":
				t.Errorf("it matches, but should miss %s", tt.part)
			case got != nil && (got.part != tt.part || got.reason != tt.reason):
				t.Errorf("it misses %q (%s), want %q (%s)", got.part, got.reason, tt.part, tt.reason)
			}
		})
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		q    quantity
		want string // "" is an error
	}{
		{"2", plain, "2"},
		{"<= 3", plain, "<= 3"},
		{"< 3", plain, "<= 2"},
		{"> 0", plain, ">= 1"},
		{">=2", plain, ">= 2"},
		{"1..3", plain, "1..3"},
		{"4MiB", bytesQuantity, "4MiB"},
		{"<= 1.5KiB", bytesQuantity, "<= 1536B"},
		{"1KiB..2KiB", bytesQuantity, "1KiB..2KiB"},
		{">= 5s", timeQuantity, ">= 5s"},
		{"1s..1m30s", timeQuantity, "1s..1m30s"},
		{"x", plain, ""},
		{"< 0", plain, ""},
		{"3..1", plain, ""},
		{"-1", plain, ""},
		{"1.5B", bytesQuantity, ""},
		{"5", timeQuantity, ""},
	} {
		r, err := parseRange(tt.text, tt.q)
		got := ""
		if err == nil {
			got = formatRange(r, tt.q)
		}
		if got != tt.want {
			t.Errorf("%q is read as %q (%v), want %q", tt.text, got, err, tt.want)
		}
		if err == nil {
			again, err := parseRange(got, tt.q)
			if err != nil || again != r {
				t.Errorf("%q is written as %q, which reads as %v (%v)", tt.text, got, again, err)
			}
		}
	}
}
