package conformance

import (
	"context"
	"errors"
	"net/http"
)

// An access is a request that needs a right to a repository.
type access struct {
	request
	rights []string // of which one is enough
}

// writes are requests that change a repository, each in its own way. They are whole:
// a registry that does not look who sends one does what it says.
func (p *Probe) writes(repository string) []access {
	doc, _ := p.image("there", typeImage)
	m, b := doc.manifest(), p.blob("intruded", 60)
	octets := func() http.Header { return header("Content-Type", "application/octet-stream") }
	mount := mountOf(repository, b.digest.String(), p.Repository)
	push, remove := []string{"push", "*"}, []string{"delete", "*", "push"}
	return []access{
		{request{method: http.MethodPost, url: uploadsPath(repository), body: []byte{}}, push},
		{request{method: http.MethodPost, url: uploadsPath(repository) + "?digest=" + b.digest.String(), body: b.data, header: octets()}, push},
		{mount, push},
		{request{method: http.MethodPatch, url: unknownUpload(repository), body: b.data, header: octets()}, push},
		{request{method: http.MethodPut, url: withDigest(unknownUpload(repository), b.digest.String()), body: b.data, header: octets()}, push},
		{request{method: http.MethodPut, url: manifestPath(repository, "intruded"), body: m.data, header: header("Content-Type", m.mediaType)}, push},
		{request{method: http.MethodPut, url: manifestPath(repository, m.digest.String()), body: m.data, header: header("Content-Type", m.mediaType)}, push},
		{request{method: http.MethodDelete, url: manifestPath(repository, "there")}, remove},
		{request{method: http.MethodDelete, url: manifestPath(repository, m.digest.String())}, remove},
		{request{method: http.MethodDelete, url: blobPath(repository, p.blob("layer there", 120).digest)}, remove},
	}
}

// reads are requests that show what is in a repository.
func (p *Probe) reads(repository string) []access {
	doc, _ := p.image("there", typeImage)
	m, pull := doc.manifest(), []string{"pull", "*"}
	var list []access
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{blobPath(repository, p.blob("layer there", 120).digest), manifestPath(repository, "there"), manifestPath(repository, m.digest.String())} {
			list = append(list, access{request{method: method, url: path, header: header("Accept", acceptAll)}, pull})
		}
	}
	for _, path := range []string{tagsPath(repository, ""), referrersPath(repository, m.digest)} {
		list = append(list, access{request{method: http.MethodGet, url: path}, pull})
	}
	return list
}

// lack are the statuses besides that say that a registry does not do such a thing for
// anybody, or hides what is there from who may not see it. An upload it refuses plainly.
func (r access) lack() []int {
	switch r.method {
	case http.MethodPost:
		return nil
	case http.MethodDelete:
		return []int{http.StatusMethodNotAllowed, http.StatusBadRequest, http.StatusNotFound}
	default:
		return []int{http.StatusNotFound}
	}
}

// fill puts there what reads and writes are about, as far as one may.
func (p *Probe) fill(ctx context.Context, repository string) error {
	_, err := p.stored(ctx, repository, "there", "there")
	var v *Violation
	if errors.As(err, &v) {
		return nil // other checks' business
	}
	return err
}

// shut demands that a token does not open some accesses.
func (p *Probe) shut(ctx context.Context, token string, list []access) error {
	for _, r := range list {
		a, err := p.as(ctx, "Bearer "+token, r.request)
		if err = first(err, a.wantIf(err, append(r.lack(), http.StatusUnauthorized, http.StatusForbidden)...)); err != nil {
			return err
		}
	}
	return nil
}
