package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// v1Checks look at the protocol before V2, where it is alive.
func v1Checks() list { return list{v101, v102, v103, v105} }

// alive asks for V1's ping.
//
// Errors: a *SkipError where there is no V1.
func (p *Probe) alive(ctx context.Context) error {
	a, err := p.get(ctx, "/v1/_ping")
	if err != nil {
		return err
	}
	if a.status != http.StatusOK || a.noPage() != nil {
		return &SkipError{Reason: "there is no V1"}
	}
	return nil
}

// index tells V1's index of a push (P-423), and gives the Authorization for what
// comes after.
func (p *Probe) index(ctx context.Context, images string) (*answer, string, error) {
	a, err := p.send(ctx, request{
		method: http.MethodPut, url: "/v1/repositories/" + p.Repository + "/", body: []byte(images),
		header: header("Content-Type", "application/json", "X-Docker-Token", "true"),
	})
	if err != nil {
		return a, "", err
	}
	return a, p.tokenV1(a), nil
}

// tokenV1 is the Authorization that V1's index gave; "" where it gave none.
func (p *Probe) tokenV1(a *answer) string {
	token := a.header.Get("X-Docker-Token")
	if token == "" {
		return ""
	}
	p.keys.keep(token)
	return "Token " + strings.TrimPrefix(token, "Token ")
}

var v102 = &Check{
	ID: "v1-02", Level: May, Silent: true, Spec: "docker v1", Requires: list{v101},
	Doc:   "V1's index answers a push with where the images go, or with 401",
	Hurts: "docker before 1.10 where V2 fails: \"Index response didn't contain any endpoints\"",
	Run: func(ctx context.Context, p *Probe) error {
		if err := p.alive(ctx); err != nil {
			return err
		}
		a, _, err := p.index(ctx, "[]")
		if err != nil {
			return err
		}
		if a.status == http.StatusUnauthorized {
			return &SkipError{Reason: "V1's index wants to know who asks"}
		}
		if err := a.want(http.StatusOK, http.StatusCreated); err != nil {
			return err
		}
		if a.header.Get("X-Docker-Endpoints") == "" {
			return a.violation("X-Docker-Endpoints", "none")
		}
		return nil
	},
}

// v1Image is an image of one file: its ID, JSON and layer.
func (p *Probe) v1Image() (id string, doc, layer []byte) {
	sum := sha256.Sum256(p.blob("image", 40).data)
	id = hex.EncodeToString(sum[:])
	doc = []byte(`{"id":"` + id + `","created":"2015-10-12T12:00:00Z","architecture":"amd64","os":"linux"}`)
	return id, doc, oneFile(p.blob("file", 100).data)
}

var v103 = &Check{
	ID: "v1-03", Level: May, Silent: true, Spec: "docker v1", Requires: list{v102},
	Doc:   "V1 takes an image as docker pushes it: JSON, layer, checksum, tag and the end of the push; and gives it back",
	Hurts: "docker before 1.10 where V2 fails",
	Run: func(ctx context.Context, p *Probe) error {
		id, doc, layer := p.v1Image()
		_, token, err := p.index(ctx, `[{"id":"`+id+`","Tag":"tag"}]`)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(slices.Concat(doc, []byte("\n"), layer)) // P-428
		image := "/v1/images/" + id
		put := func(url string, body []byte, want []int, headers ...string) error {
			a, err := p.asUnless(ctx, token, request{method: http.MethodPut, url: url, body: body, header: header(headers...)})
			return first(err, a.wantIf(err, want...))
		}
		ok := []int{http.StatusOK}
		if err := first(
			put(image+"/json", doc, ok, "Content-Type", "application/json"),
			put(image+"/layer", layer, ok, "Content-Type", "application/octet-stream"),
			put(image+"/checksum", []byte{}, ok, "X-Docker-Checksum-Payload", "sha256:"+hex.EncodeToString(sum[:])),
			put("/v1/repositories/"+p.Repository+"/tags/tag", []byte(`"`+id+`"`), []int{http.StatusOK, http.StatusCreated}, "Content-Type", "application/json"),
		); err != nil {
			return err
		}
		a, err := p.send(ctx, request{
			method: http.MethodPut, url: "/v1/repositories/" + p.Repository + "/images", body: []byte("[]"), header: header("Content-Type", "application/json", "X-Docker-Token", "true"),
		})
		if err = first(err, a.wantIf(err, http.StatusNoContent)); err != nil { // P-430
			return err
		}
		a, err = p.asUnless(ctx, token, request{method: http.MethodGet, url: image + "/json"})
		return first(err, a.wantIf(err, http.StatusOK), a.bytes(doc))
	},
}

// asUnless sends a request with a token, or as the run does where there is none.
func (p *Probe) asUnless(ctx context.Context, token string, r request) (*answer, error) {
	if token == "" {
		return p.send(ctx, r)
	}
	return p.as(ctx, token, r)
}

var v105 = &Check{
	ID: "v1-05", Level: May, Pull: true, Silent: true, Spec: "docker v1", Requires: list{v101},
	Doc:   "V1's search answers with results, or is not there",
	Hurts: "docker search, which shows a page's first line",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v1/search?q=pushcheck")
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return first(a.want(http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone), &SkipError{Reason: "there is no search"})
		}
		var said struct {
			Results *json.RawMessage `json:"results"`
		}
		if json.Unmarshal(a.body, &said) != nil || said.Results == nil {
			return a.violation(`JSON such as {"results": […]}`, excerpt(a.body))
		}
		return nil
	},
}
