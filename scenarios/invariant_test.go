package scenarios

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

var (
	wholeTag  = tagState{found: true, digest: "sha256:new", payload: "sha256:payload", format: "schema2", layers: []digest.Digest{digest1, digest2}}
	brokenTag = tagState{found: true, digest: "sha256:new", format: "schema2", layers: []digest.Digest{digest1, digest2}, broken: "layer1 is missing"}
	oldTag    = tagState{found: true, digest: "sha256:old", format: "schema2", layers: []digest.Digest{digest1}}
	errPush   = errors.New("it failed")
)

// pushed is a push of a/b:v1 that went as it should, changed by edit.
func pushed(edit func(p *seenPush)) *seenPush {
	p := &seenPush{
		repository: "a/b", tags: []string{"v1"}, registry: []string{"h:1"}, realms: []string{"h:1"}, contents: twoLayers(),
		login: &Login{"alice", "s3cret pw"}, published: []pusher.Published{{Tag: "v1", Digest: "sha256:payload"}}, via: pusher.V2,
		trace: twoUploads(), end: time.Minute,
		before: registryState{tags: map[string]tagState{}},
		after:  registryState{tags: map[string]tagState{"a/b:v1": wholeTag}},
	}
	edit(p)
	return p
}

func failed(p *seenPush) { p.err, p.published, p.after.tags = errPush, nil, map[string]tagState{} }

func basic(login string) func(*wire.Exchange) {
	return asking("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(login)))
}

func body(text string) func(*wire.Exchange) {
	return func(e *wire.Exchange) { e.Response.Body.Head = []byte(text) }
}

// TestInvariants has, for each standing invariant, what keeps it and what breaks it.
func TestInvariants(t *testing.T) {
	t.Parallel()
	shown := func(list ...pusher.Event) []pusher.Event { return list }
	unbroken := InvariantNames() // until a row breaks them
	mine := basic("alice:s3cret pw")
	for _, tt := range []struct {
		invariant, name string
		edit            func(p *seenPush)
		broken          string // a part of what is said; "" when it is kept
	}{
		{"truth", "the image is there", func(*seenPush) {}, ""},
		{"truth", "a failure is told as one", failed, ""},
		{"truth", "the tag is not there", func(p *seenPush) { p.after.tags = nil }, "it is not there"},
		{"truth", "a blob is missing", func(p *seenPush) { p.after.tags["a/b:v1"] = brokenTag }, "it is broken: layer1 is missing"},
		{"truth", "another image is there", func(p *seenPush) { p.after.tags["a/b:v1"] = oldTag }, "names something else: it has 1 layers, not 2"},
		{"truth", "another digest was reported", func(p *seenPush) { p.published[0].Digest = digest1.String() }, "as reported"},
		{"truth", "of the tags before the failure", func(p *seenPush) { p.err, p.after.tags = errPush, nil }, "it is not there"},
		{"truth", "over V1", func(p *seenPush) {
			p.after.tags["a/b:v1"] = tagState{found: true, format: "v1", image: id2, images: []string{id1, id2}}
			p.published[0].Digest = ""
		}, ""},
		{"truth", "over V1 with an ancestor missing", func(p *seenPush) {
			p.after.tags["a/b:v1"] = tagState{found: true, format: "v1", image: id2, images: []string{id2}}
		}, "it has 1 images, not 2"},

		{"no-half-tag", "nothing changed", failed, ""},
		{"no-half-tag", "the old tag is there", func(p *seenPush) {
			failed(p)
			p.before.tags["a/b:v1"], p.after.tags["a/b:v1"] = oldTag, oldTag
		}, ""},
		{"no-half-tag", "the tag appeared", func(p *seenPush) { failed(p); p.after.tags["a/b:v1"] = wholeTag }, "tag v1 changed: it named nothing"},
		{"no-half-tag", "the tag moved", func(p *seenPush) {
			failed(p)
			p.before.tags["a/b:v1"], p.after.tags["a/b:v1"] = oldTag, wholeTag
		}, "tag v1 changed"},
		{"no-half-tag", "the answer to the manifest was lost", func(p *seenPush) {
			failed(p)
			p.after.tags["a/b:v1"] = wholeTag
			p.firings = []firing{{fault: "commit-lost", op: wire.OpManifestPut, done: true}}
		}, ""},
		{"no-half-tag", "the answer to a layer was lost", func(p *seenPush) {
			failed(p)
			p.after.tags["a/b:v1"] = wholeTag
			p.firings = []firing{{fault: "commit-lost", op: wire.OpUploadPut, done: true}}
		}, "tag v1 changed"},

		{"no-half-tag", "the line broke when it looked whether the tag was there", func(p *seenPush) {
			failed(p)
			p.after.tags["a/b:v1"] = wholeTag
			p.trace = tr(ex("manifest.put 201", withTag("v1")), ex("manifest.head reset", withTag("v1")))
			p.firings = []firing{{fault: "reset", op: wire.OpManifestHead, seq: 2, tag: "v1"}}
		}, ""},
		{"no-half-tag", "it looked, and looked again, and saw the tag", func(p *seenPush) {
			failed(p)
			p.after.tags["a/b:v1"] = wholeTag
			p.trace = tr(ex("manifest.put 201", withTag("v1")), ex("manifest.head reset", withTag("v1")),
				ex("manifest.head 200", withTag("v1"), saying("Docker-Content-Digest", wholeTag.digest.String())))
			p.firings = []firing{{fault: "reset", op: wire.OpManifestHead, seq: 2, tag: "v1"}}
		}, "tag v1 changed"},
		{"no-half-tag", "it looked at another tag", func(p *seenPush) {
			failed(p)
			p.after.tags["a/b:v1"] = wholeTag
			p.trace = tr(ex("manifest.head reset", withTag("v2")), ex("manifest.put 201", withTag("v1")))
			p.firings = []firing{{fault: "reset", op: wire.OpManifestHead, seq: 1, tag: "v2"}}
		}, "tag v1 changed"},
		{"no-half-tag", "the answer to another tag's manifest was lost", func(p *seenPush) {
			failed(p)
			p.after.tags["a/b:v1"] = wholeTag
			p.firings = []firing{{fault: "commit-lost", op: wire.OpManifestPut, done: true, tag: "v2"}}
		}, "tag v1 changed"},

		{"blobs-first", "every layer was confirmed", func(*seenPush) {}, ""},
		{"blobs-first", "a mount confirms", func(p *seenPush) {
			p.trace = tr(ex("upload.mount 201", of(digest1)), ex("blob.head 200", of(digest2)), ex("manifest.put 201", withTag("v1")))
		}, ""},
		{"blobs-first", "a layer was not asked for", func(p *seenPush) {
			p.trace = tr(ex("blob.head 200", of(digest2)), ex("manifest.put 201", withTag("v1")))
		}, "before layer1 was confirmed"},
		{"blobs-first", "a layer was asked for and absent", func(p *seenPush) {
			p.trace = tr(ex("blob.head 200", of(digest2)), ex("blob.head 404", of(digest1)), ex("manifest.put 201", withTag("v1")))
		}, "before layer1 was confirmed"},
		{"blobs-first", "a layer was confirmed after it", func(p *seenPush) {
			p.trace = tr(ex("blob.head 200", of(digest2)), ex("manifest.put 201", withTag("v1")), ex("blob.head 200", of(digest1)))
		}, "before layer1 was confirmed"},

		{"secrets-stay", "to the registry", func(p *seenPush) { p.trace = tr(ex("upload.start 202", mine)) }, ""},
		{"secrets-stay", "the password elsewhere", func(p *seenPush) { p.trace = tr(ex("upload.patch 202", mine, to("evil:1"))) }, "sent the password to evil:1"},
		{"secrets-stay", "a token elsewhere", func(p *seenPush) {
			p.trace = tr(ex("upload.patch 202", asking("Authorization", "Bearer abc"), to("evil:1")))
		}, "sent the token to evil:1"},
		{"secrets-stay", "the password in a URL elsewhere", func(p *seenPush) {
			p.trace = tr(ex("token 200", to("evil:1"), func(e *wire.Exchange) { e.Request.Target = "/token?password=s3cret+pw" }))
		}, "sent the password to evil:1"},
		{"secrets-stay", "in plain text after TLS", func(p *seenPush) {
			p.trace = tr(ex("ping 200", over("https")), ex("upload.start 202", mine))
		}, "in plain text after TLS had worked"},
		{"secrets-stay", "to nobody, for the handshake failed", func(p *seenPush) { p.trace = tr(ex("ping tls", mine, to("evil:1"))) }, ""},
		{"secrets-stay", "in the log", func(p *seenPush) { p.log = "login alice s3cret pw" }, "the password is in the log"},
		{"secrets-stay", "in the progress", func(p *seenPush) { p.events = shown(pusher.Event{Status: "with s3cret pw"}) }, "the password is in the progress"},
		{"secrets-stay", "in the error", func(p *seenPush) { p.err = errors.New("bad s3cret pw") }, "the password is in the error"},
		{"secrets-stay", "a token in the error", func(p *seenPush) {
			p.trace = tr(ex("ping 200", asking("Authorization", "Bearer 0123456789")))
			p.err = errors.New("token 0123456789 is bad")
		}, "a token is in the error"},

		{"no-downgrade", "https first, refused, then http", func(*seenPush) {}, ""},
		{"no-downgrade", "http after https had answered", func(p *seenPush) {
			p.trace = tr(ex("ping 500", over("https")), ex("ping 200"))
		}, "over plain HTTP after TLS had worked"},
		{"no-downgrade", "V1 after V2 had answered", func(p *seenPush) {
			p.trace = tr(ex("ping 401", saying("Docker-Distribution-Api-Version", "registry/2.0")), ex("v1.repo.put 200"))
		}, "after V2 was confirmed"},
		{"no-downgrade", "V1 where V2 did not say its name", func(p *seenPush) { p.trace = tr(ex("ping 200"), ex("v1.repo.put 200")) }, ""},

		{"bounded", "six times", func(p *seenPush) {
			p.trace = tr(slices.Repeat([]wire.Exchange{ex("blob.head 200", of(digest1))}, 6)...)
		}, ""},
		{"bounded", "seven times", func(p *seenPush) {
			p.trace = tr(slices.Repeat([]wire.Exchange{ex("blob.head 200", of(digest1))}, 7)...)
		}, "was sent more than 6 times"},
		{"bounded", "seven things, once each", func(p *seenPush) {
			p.trace = nil
			for i := range 7 {
				p.trace = append(p.trace, tr(ex("blob.head 200", of(digest.FromString(string(rune(i))))))...)
			}
		}, ""},
		{"bounded", "tokens without end", func(p *seenPush) { p.trace = tr(slices.Repeat([]wire.Exchange{ex("token 200")}, 9)...) }, "was sent more than 8 times"},

		{"patience", "after the time", func(p *seenPush) {
			p.trace = tr(ex("manifest.put 429", withTag("v1"), saying("Retry-After", "3")), ex("manifest.put 201", withTag("v1"), at(3*time.Second, 0)))
		}, ""},
		{"patience", "before the time", func(p *seenPush) {
			p.trace = tr(ex("manifest.put 429", withTag("v1"), saying("Retry-After", "3")), ex("manifest.put 201", withTag("v1"), at(2*time.Second, 0)))
		}, "which said Retry-After: 3s"},
		{"patience", "before a date", func(p *seenPush) {
			p.trace = tr(ex("manifest.put 503", withTag("v1"), saying("Retry-After", "Mon, 12 Oct 2015 12:01:00 GMT")), ex("manifest.put 201", withTag("v1"), at(2*time.Second, 0)))
		}, "which said Retry-After: 1m0s"},
		{"patience", "another thing meanwhile", func(p *seenPush) {
			p.trace = tr(ex("manifest.put 429", withTag("v1"), saying("Retry-After", "3")), ex("manifest.put 201", withTag("v2")))
		}, ""},
		{"patience", "a refusal taken", func(p *seenPush) { p.trace = tr(ex("upload.start 403", body(`{"errors":[{"code":"DENIED"}]}`))) }, ""},
		{"patience", "a refusal not taken", func(p *seenPush) {
			p.trace = tr(ex("upload.start 403", body(`{"errors":[{"code":"DENIED"}]}`)), ex("upload.start 202"))
		}, "sent again after it was refused with DENIED"},
		{"patience", "with other credentials", func(p *seenPush) {
			p.trace = tr(ex("upload.start 403", body(`{"errors":[{"code":"DENIED"}]}`)), ex("upload.start 202", mine))
		}, ""},

		{"no-double-count", "one after the other", func(p *seenPush) {
			p.trace = tr(ex("upload.patch 202", inSession("s"), sending(5)), ex("upload.patch 202", inSession("s"), sending(5)))
		}, ""},
		{"no-double-count", "after a cut, unasked", func(p *seenPush) {
			p.trace = tr(ex("upload.patch reset", inSession("s"), sending(5)), ex("upload.patch 202", inSession("s"), sending(5)))
		}, "into the session of #1, which may have taken them"},
		{"no-double-count", "after a cut, and asking first", func(p *seenPush) {
			p.trace = tr(ex("upload.patch reset", inSession("s"), sending(5)), ex("upload.status 204", inSession("s")), ex("upload.patch 202", inSession("s"), sending(5)))
		}, ""},
		{"no-double-count", "after a cut, in another session", func(p *seenPush) {
			p.trace = tr(ex("upload.patch reset", inSession("s"), sending(5)), ex("upload.patch 202", inSession("t"), sending(5)))
		}, ""},

		{"clean-up", "committed", func(p *seenPush) { p.after.uploads = 0 }, ""},
		{"clean-up", "left behind", func(p *seenPush) {
			p.trace, p.after.uploads = tr(upload(digest1, "s")[:2]...), 1
		}, "1 upload sessions were neither committed nor cancelled"},
		{"clean-up", "left behind, where nobody can look", func(p *seenPush) {
			p.trace, p.after.uploads = tr(upload(digest1, "s")[:2]...), -1
		}, "1 upload sessions"},
		{"clean-up", "left behind and forgotten by the registry", func(p *seenPush) { p.trace, p.after.uploads = tr(upload(digest1, "s")[:2]...), 0 }, ""},
		{"clean-up", "cancelled", func(p *seenPush) {
			p.trace, p.after.uploads = tr(append(upload(digest1, "s")[:2], ex("upload.cancel 204", inSession("s")))...), 0
		}, ""},
		{"clean-up", "a cancel that was refused", func(p *seenPush) {
			p.trace, p.after.uploads = tr(append(upload(digest1, "s")[:2], ex("upload.cancel 405", inSession("s")))...), 1
		}, ""},
		{"clean-up", "a cancel that broke off", func(p *seenPush) {
			p.trace, p.after.uploads = tr(append(upload(digest1, "s")[:2], ex("upload.cancel reset", inSession("s")))...), 1
		}, ""},
		{"clean-up", "a cancel without a word of who it is", func(p *seenPush) {
			p.trace, p.after.uploads = tr(append(upload(digest1, "s")[:2], ex("upload.cancel 401", inSession("s")))...), 1
		}, "1 upload sessions"},
		{"clean-up", "a cancel that says who it is when it is asked, and is asked again", func(p *seenPush) {
			p.trace, p.after.uploads = tr(append(upload(digest1, "s")[:2], ex("upload.cancel 401", inSession("s")), ex("upload.cancel 401", inSession("s")))...), 1
		}, ""},
		{"clean-up", "a cancel that the client let go of", func(p *seenPush) {
			p.trace, p.after.uploads = tr(append(upload(digest1, "s")[:2], ex("upload.cancel cancelled", inSession("s")))...), 1
		}, "1 upload sessions"},

		{"quiet-end", "quiet", func(*seenPush) {}, ""},
		{"quiet-end", "a request after the end", func(p *seenPush) { p.late = tr(ex("upload.cancel 204")) }, "upload.cancel@204 was sent after the outcome was reported"},
		{"quiet-end", "a connection", func(p *seenPush) { p.leftovers = []string{"1 connection"} }, "1 connection outlived the push"},

		{"progress-tells-truth", "as it was", func(p *seenPush) {
			p.events = shown(pusher.Event{ID: id1[:12], Status: "Pushing", Current: 5}, pusher.Event{ID: id1[:12], Status: "Image successfully pushed"},
				pusher.Event{Status: "v1: digest: sha256:payload size: 7"})
		}, ""},
		{"progress-tells-truth", "a layer that was not pushed", func(p *seenPush) {
			p.trace = tr(ex("upload.put 500", of(digest1)))
			p.events = shown(pusher.Event{ID: id1[:12], Status: "Image successfully pushed"})
		}, "layer1 was shown as \"Image successfully pushed\""},
		{"progress-tells-truth", "a layer that V1 skipped", func(p *seenPush) {
			p.trace = tr(ex("v1.json.put 409", ofImage(id1), body(`{"error": "Image already exists"}`)))
			p.events = shown(pusher.Event{ID: id1[:12], Status: "Image already pushed, skipping"})
		}, ""},
		{"progress-tells-truth", "more bytes than were sent", func(p *seenPush) {
			p.events = shown(pusher.Event{ID: id1[:12], Status: "Pushing", Current: 6})
		}, "6 bytes of layer1 were shown, but 5 were sent"},
		{"progress-tells-truth", "the digest of a manifest that was refused", func(p *seenPush) {
			p.trace = tr(ex("manifest.put 500", withTag("v1")))
			p.events = shown(pusher.Event{Status: "v1: digest: sha256:payload size: 7"})
		}, "of tag v1 was shown, but the registry did not take the manifest"},

		{"expected-traffic", "as it should be", func(*seenPush) {}, ""},
		{"expected-traffic", "outside the protocol", func(p *seenPush) {
			p.trace = tr(ex("other 404", func(e *wire.Exchange) { e.Request.Method, e.Request.Target = "GET", "/v3/manifests/x?y" }))
		}, "GET /v3/manifests/x is no request of a registry protocol; it looks like one for a manifest"},
		{"expected-traffic", "to somebody else", func(p *seenPush) { p.trace = tr(ex("ping 200", to("evil:1"))) }, "went to evil:1, which is no host of the scenario"},
	} {
		if tt.broken != "" {
			unbroken = slices.DeleteFunc(unbroken, func(name string) bool { return name == tt.invariant })
		}
		t.Run(tt.invariant+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			got := judged(pushed(tt.edit), tt.invariant, nil)
			if tt.broken == "" && !got.Holds || tt.broken != "" && !strings.Contains(got.Detail, tt.broken) {
				t.Errorf("holds: %v (%s), want %q", got.Holds, got.Detail, tt.broken)
			}
		})
	}
	if !slices.Equal(unbroken, []string{"fired"}) { // which has a test of its own
		t.Errorf("nothing breaks %v", unbroken)
	}
}

// judged is the verdict on one invariant.
func judged(p *seenPush, name string, idle []finding) report.Invariant {
	verdicts, _ := judgeInvariants(&Scenario{ID: "x"}, []*seenPush{p}, idle)
	return verdicts[slices.IndexFunc(verdicts, func(v report.Invariant) bool { return v.Name == name })]
}

func TestFaultsThatNeverStruck(t *testing.T) {
	t.Parallel()
	v := judged(pushed(func(*seenPush) {}), "fired", []finding{{broken: "fault reset never struck", at: "faults[1]"}})
	if v.Holds || v.Detail != "fault reset never struck" {
		t.Errorf("fired: %+v", v)
	}
}

func TestKnownDeviationsOfAnEra(t *testing.T) {
	t.Parallel()
	knows := func(p *seenPush) {
		p.era = pusher.Era{Name: "old", Known: []pusher.Deviation{{Invariant: "clean-up", Rule: "P-208", Because: "it never cancels"}}}
	}
	leaves := func(p *seenPush) { knows(p); p.trace, p.after.uploads = tr(upload(digest1, "s")[:2]...), 1 }
	cancels := func(p *seenPush) {
		knows(p)
		p.trace = tr(append(upload(digest1, "s")[:2], ex("upload.cancel 204", inSession("s")))...)
	}
	for _, tt := range []struct {
		name     string
		edit     func(*seenPush)
		holds    bool
		waived   string
		failures int
	}{
		{"it happens", leaves, false, "P-208: it never cancels", 0},
		{"its situation does not come up", knows, true, "", 0},
		{"it does not happen in its situation", cancels, false, "", 1},
	} {
		verdicts, failures := judgeInvariants(&Scenario{ID: "x"}, []*seenPush{pushed(tt.edit)}, nil)
		v := verdicts[slices.IndexFunc(verdicts, func(v report.Invariant) bool { return v.Name == "clean-up" })]
		if v.Holds != tt.holds || v.Waived != tt.waived || len(failures) != tt.failures {
			t.Errorf("%s: %+v with failures %v", tt.name, v, failures)
		}
	}
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	s := &Scenario{ID: "x", Expect: Expect{Waive: map[string]string{"clean-up": "not here"}}}
	leaves := pushed(func(p *seenPush) { p.trace, p.after.uploads = tr(upload(digest1, "s")[:2]...), 1 })
	if _, failures := judgeInvariants(s, []*seenPush{leaves}, nil); len(failures) != 0 {
		t.Errorf("a waived breach fails: %v", failures)
	}
	_, failures := judgeInvariants(s, []*seenPush{pushed(func(*seenPush) {})}, nil)
	if len(failures) != 1 || !strings.Contains(failures[0].Message, "it holds, although it is waived: not here") {
		t.Errorf("a waiver that nobody needs gives %v", failures)
	}
}
