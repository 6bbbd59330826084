package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

func errorChecks() list { return list{err01, err02, err03, err04, err05, err06, err10, err11, err12} }

// mistakes are requests of which each must be refused, and the codes that say why.
func (p *Probe) mistakes() []struct {
	r     request
	codes []string
} {
	absent := p.blob("absent", 10).digest
	type row = struct {
		r     request
		codes []string
	}
	get := func(path string) request { return request{method: http.MethodGet, url: path} }
	return []row{
		{get(blobPath(p.Repository, absent)), []string{"BLOB_UNKNOWN", "NAME_UNKNOWN"}},
		{get(manifestPath(p.Repository, "absent")), []string{"MANIFEST_UNKNOWN", "NAME_UNKNOWN"}},
		{get(manifestPath(p.Repository, absent.String())), []string{"MANIFEST_UNKNOWN", "NAME_UNKNOWN"}},
		{get(tagsPath(p.Repository+"/nothing", "")), []string{"NAME_UNKNOWN"}},
		{get(tagsPath(p.Repository+"/nothing", "?n=-1")), nil},
		{
			request{method: http.MethodPut, url: manifestPath(p.Repository, "wrong"), body: []byte("{"), header: header("Content-Type", typeImage)},
			[]string{"MANIFEST_INVALID"},
		},
		// What follows is another check's business but for how it is said.
		{get(unknownUpload(p.Repository)), nil},
		{request{method: http.MethodPatch, url: unknownUpload(p.Repository), body: []byte("late")}, nil},
		{request{method: http.MethodPut, url: withDigest(unknownUpload(p.Repository), absent.String()), body: []byte("late")}, nil},
		{request{method: http.MethodDelete, url: unknownUpload(p.Repository)}, nil},
		{request{method: http.MethodPost, url: uploadsPath(p.Repository + "/UPPER"), body: []byte{}}, nil},
		{request{method: http.MethodPost, url: uploadsPath(p.Repository) + "?mount=sha256:short&from=" + p.Other, body: []byte{}}, nil},
		{request{method: http.MethodDelete, url: blobPath(p.Repository, absent)}, nil},
		{request{method: http.MethodDelete, url: manifestPath(p.Repository, absent.String())}, nil},
		{get(blobPath(p.Repository, "sha256:short")), nil},
		{get("/v2/" + p.Repository + "/referrers/sha256:short"), nil},
	}
}

// eachMistake gives the answer to each mistake that is a JSON one to look.
func eachMistake(look func(a *answer, codes []string) error) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		for _, row := range p.mistakes() {
			a, err := p.send(ctx, row.r)
			if err != nil {
				return err
			}
			if a.status/100 != 4 {
				continue // other checks' business
			}
			if err := look(a, row.codes); err != nil {
				return err
			}
		}
		return nil
	}
}

var err01 = &Check{
	ID: "err-01", Level: Must, Spec: "error codes", Requires: list{ping01},
	Doc:   "an error that is JSON has a list of errors with codes",
	Hurts: "docker, which shows the body as it is, or \"unexpected end of JSON\"",
	Run: eachMistake(func(a *answer, _ []string) error {
		text := strings.TrimSpace(string(a.body))
		if !strings.HasPrefix(text, "{") && !strings.Contains(a.header.Get("Content-Type"), "json") {
			return nil // the specification lets a registry say nothing
		}
		if codes := a.codes(); len(codes) == 0 || slices.Contains(codes, "") {
			return a.violation(`a body such as {"errors": [{"code": …}]}`, quoteOr(text[:min(len(text), 80)]))
		}
		return nil
	}),
}

var err02 = &Check{
	ID: "err-02", Level: Should, Silent: true, Spec: "error codes", Requires: list{ping01},
	Doc:   "an error that is JSON says so by Content-Type",
	Hurts: "clients that decode by it: docker shows the whole body (P-324)",
	Run: eachMistake(func(a *answer, _ []string) error {
		if len(a.codes()) > 0 && !strings.Contains(a.header.Get("Content-Type"), "json") {
			return a.violation("Content-Type application/json", quoteOr(a.header.Get("Content-Type")))
		}
		return nil
	}),
}

var err03 = &Check{
	ID: "err-03", Level: Should, Silent: true, Spec: "error codes", Requires: list{err01, mono01},
	Doc:   "an error has the code that the specification has for it",
	Hurts: "clients that act by code: they cannot tell a missing image from a missing right",
	Run: eachMistake(func(a *answer, codes []string) error {
		if codes == nil {
			return nil // the specification has none for it
		}
		return a.hasCode(codes...)
	}),
}

var err04 = &Check{
	ID: "err-04", Level: Must, Spec: "error codes", Requires: list{err01},
	Doc:   "codes of errors are those of the specification",
	Hurts: "clients that switch on codes: an unknown one is an unknown error",
	Run: eachMistake(func(a *answer, _ []string) error {
		for _, code := range a.codes() {
			if !slices.Contains(knownCodes(), code) {
				return a.violation("a code of the specification", code)
			}
		}
		return nil
	}),
}

var err05 = &Check{
	ID: "err-05", Level: Should, Spec: "error codes", Requires: list{err01},
	Doc:   "the message of an error is for people and shows nothing of the inside",
	Hurts: "users, who read it in docker's last line",
	Run: eachMistake(func(a *answer, _ []string) error {
		var body errorBody
		if json.Unmarshal(a.body, &body) != nil {
			return nil
		}
		for _, e := range body.Errors {
			for _, trace := range []string{"goroutine ", ".go:", "Traceback", "at java.", "/var/lib/"} {
				if strings.Contains(e.Message+string(e.Detail), trace) {
					return a.violation("a message without stack traces and paths", quoteOr(e.Message))
				}
			}
		}
		return nil
	}),
}

// malformed are requests that no client means.
func (p *Probe) malformed() []request {
	r := "/v2/" + p.Repository
	absent := p.blob("absent", 10).digest.String()
	var list []request
	for _, path := range []string{
		r + "/manifests/", r + "/manifests/a%00b", r + "/manifests/%2e%2e", r + "/manifests/sha256:", r + "/manifests/" + strings.Repeat("t", 3000),
		r + "/blobs/", r + "/blobs/sha256:%00", r + "/blobs/uploads", r + "/blobs/uploads/%20", r + "/blobs/uploads/..%2f..", r + "/tags", r + "/tags/list?n=99999999999999999999",
		r + "/tags/list?last=%00", "/v2/UPPER/tags/list", "/v2/a//b/tags/list", "/v2/../../etc/passwd", "/v2/%2e%2e/tags/list", "/v2/-/tags/list",
		"/v2/" + strings.Repeat("n", 300) + "/tags/list", "/v2/_unknown", "/v2/" + strings.Repeat("a/", 200) + "tags/list",
	} {
		list = append(list, request{method: http.MethodGet, url: path})
	}
	for _, body := range []string{"", "null", "[]", "{", `{"schemaVersion":"two"}`, `{"schemaVersion":2,"layers":null,"config":null}`, `{"schemaVersion":2,"config":{"digest":"x"},"layers":[{"digest":""}]}`} {
		for _, kind := range []string{typeImage, typeSchema2, typeIndex, typeList, "", "no type at all;;"} {
			list = append(list, request{method: http.MethodPut, url: r + "/manifests/wrong", body: []byte(body), header: header("Content-Type", kind)})
		}
	}
	return append(list,
		request{method: http.MethodPost, url: r + "/blobs/uploads/?digest=nonsense", body: []byte("x")},
		request{method: http.MethodPost, url: r + "/blobs/uploads/?mount=" + absent + "&from=%00", body: []byte{}},
		request{method: http.MethodPut, url: r + "/blobs/uploads/none?digest=" + absent, body: []byte("x")},
		request{method: http.MethodPatch, url: r + "/blobs/uploads/none", body: []byte("x"), header: header("Content-Range", "5-2")},
		request{method: http.MethodDelete, url: r + "/manifests/absent"},
		request{method: http.MethodDelete, url: r + "/blobs/" + absent},
		request{method: http.MethodGet, url: r + "/blobs/" + absent, header: header("Range", "bytes=9-1,-,x")},
		request{method: http.MethodGet, url: r + "/manifests/absent", header: header("Accept", ";;,,/;q=")},
	)
}

var err06 = &Check{
	ID: "err-06", Level: Must, Silent: true, Spec: "error codes", Requires: list{ping01},
	Doc:   "no request, however wrong, is answered with a 5xx or a dropped connection",
	Hurts: "operators: anybody can make alarms, or a crash; clients repeat what can never work",
	Run: func(ctx context.Context, p *Probe) error {
		for _, r := range p.malformed() {
			a, err := p.send(ctx, r)
			if err != nil {
				return err
			}
			if a.status >= 500 {
				return a.violation("a status below 500", a.said())
			}
		}
		return nil
	},
}

var err10 = &Check{
	ID: "err-10", Level: Should, Spec: "HTTP methods", Requires: list{mono01},
	Doc:   "a method that a place does not have is answered 405, and a place that there is not 404",
	Hurts: "clients that find out what a registry can do",
	Run: func(ctx context.Context, p *Probe) error {
		for _, r := range []request{
			{method: http.MethodPost, url: manifestPath(p.Repository, "tag"), body: []byte{}}, {method: http.MethodDelete, url: tagsPath(p.Repository, "")},
		} {
			a, err := p.send(ctx, r)
			if err = first(err, a.wantIf(err, http.StatusMethodNotAllowed, http.StatusNotFound)); err != nil {
				return err
			}
		}
		a, err := p.get(ctx, "/v2/"+p.Repository+"/nothing/here")
		return first(err, a.wantIf(err, http.StatusNotFound))
	},
}
