package conformance

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

func securityChecks() list {
	return list{sec01, sec02, sec03, sec04, sec06, sec07, sec08, sec10, sec13, sec14}
}

var sec01 = &Check{
	ID: "sec-01", Level: Must, Silent: true, Spec: "isolation", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "what is in one repository is 404 in another",
	Hurts: "users of a shared registry: who knows a digest reads what he may not",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		for _, path := range []string{blobPath(p.Other, p.blob("layer image", 120).digest), manifestPath(p.Other, m.digest.String()), manifestPath(p.Other, "tag")} {
			if err := p.gone(ctx, path); err != nil {
				return err
			}
		}
		return p.apart(ctx, m)
	},
}

// apart looks at repositories whose names begin as the image's does, or are a part of
// its name: they are others.
func (p *Probe) apart(ctx context.Context, m manifest) error {
	below, err := p.stored(ctx, p.Repository+"/below", "below", "below")
	if err != nil {
		return err
	}
	layer := p.blob("layer image", 120).digest
	paths := []string{manifestPath(p.Repository, "below"), manifestPath(p.Repository, below.digest.String()), blobPath(p.Repository, p.blob("layer below", 120).digest)}
	for _, name := range []string{p.Repository + "/below", p.Repository + "x", p.Repository[:len(p.Repository)-1], strings.ReplaceAll(p.Repository, "-", "_")} {
		paths = append(paths, manifestPath(name, "tag"), manifestPath(name, m.digest.String()), blobPath(name, layer))
	}
	for _, path := range paths {
		if err := p.gone(ctx, path); err != nil {
			return err
		}
	}
	l, a, err := p.tags(ctx, p.Repository, "")
	if err == nil && slices.Contains(l.Tags, "below") {
		return a.violation("the tags of this repository alone", strings.Join(l.Tags, " "))
	}
	return nil // else tag-01's business
}

var sec02 = &Check{
	ID: "sec-02", Level: Must, Silent: true, Spec: "isolation", Requires: list{sec01},
	Doc:   "a manifest that names a blob of another repository does not make it readable",
	Hurts: "users of a shared registry: who knows a digest reads what he may not",
	Run: func(ctx context.Context, p *Probe) error {
		if _, err := p.stored(ctx, p.Repository, "image", "tag"); err != nil {
			return err
		}
		secret := p.blob("secret", 64)
		if err := p.push(ctx, p.Other, secret); err != nil {
			return err
		}
		doc, _ := p.image("image", typeImage)
		layers := append(*doc.Layers, secret.descriptor(typeImageLayer))
		doc.Layers = &layers
		if _, err := p.putManifest(ctx, p.Repository, "claim", doc.manifest()); err != nil {
			return err
		}
		a, err := p.get(ctx, blobPath(p.Repository, secret.digest))
		return first(err, a.wantIf(err, http.StatusNotFound))
	},
}

var sec03 = &Check{
	ID: "sec-03", Level: Must, Pull: true, Silent: true, Spec: "isolation", Requires: list{ping01},
	Doc:   "no path leads out of the registry's storage",
	Hurts: "operators: files of the machine are served",
	Run: func(ctx context.Context, p *Probe) error {
		up := strings.Repeat("..%2f", 8) + "etc%2fpasswd"
		for _, path := range []string{
			"/v2/" + p.Repository + "/manifests/" + up, "/v2/" + p.Repository + "/blobs/" + up, "/v2/" + p.Repository + "/blobs/uploads/" + up,
			"/v2/" + up + "/tags/list", "/v2/" + strings.ReplaceAll(up, "%2f", "/") + "/tags/list", "/v2/" + p.Repository + "/blobs/sha256:" + up,
		} {
			a, err := p.get(ctx, path)
			if err != nil {
				return err
			}
			if a.status == http.StatusOK || strings.Contains(string(a.body), "root:") {
				return a.violation("nothing", a.said()+" with "+count(len(a.body), "byte"))
			}
		}
		return nil
	},
}

var sec04 = &Check{
	ID: "sec-04", Level: Should, Silent: true, Spec: "pulling manifests", Requires: list{ping01}, Uses: list{mono01},
	Doc:   "names of repositories that the specification forbids are refused, and those that it allows are not",
	Hurts: "clients, none of which can pull them; scripts that take names for safe; users of names that look like a part of the protocol",
	Run: func(ctx context.Context, p *Probe) error {
		for _, name := range []string{"UPPER", "a..b", "-front", "back-", "under___score", "sp%20ace", "per%25cent"} {
			a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository + "/" + name), body: []byte{}})
			if err = first(err, a.refusedIf(err)); err != nil {
				return err
			}
		}
		for _, name := range []string{"d.o.t", "under_score", "under__score", "many---dashes", "0", "blobs/of", "manifests/of", "tags/of", "blobs/uploads/of"} {
			a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository + "/" + name), body: []byte{}})
			if err != nil {
				return err
			}
			if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
				continue // who may make repositories is the registry's own business
			}
			if err := a.want(http.StatusAccepted); err != nil {
				return err
			}
		}
		return nil
	},
}

var sec06 = &Check{
	ID: "sec-06", Level: May, Pull: true, Silent: true, Spec: "content sniffing", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "blobs are sent with X-Content-Type-Options: nosniff",
	Hurts: "whoever opens the registry in an old browser: it guesses the type of a blob",
	Run: withBlob(50, func(ctx context.Context, p *Probe, b blob) error {
		a, err := p.get(ctx, blobPath(p.Repository, b.digest))
		if err != nil {
			return err
		}
		return a.has("X-Content-Type-Options", "nosniff")
	}),
}

var sec07 = &Check{
	ID: "sec-07", Level: Must, Silent: true, Spec: "isolation", Requires: list{mono02}, Uses: list{chunk20},
	Doc:   "the Location of an upload cannot be guessed, and shows or ends nothing through another repository",
	Hurts: "users of a shared registry: others read how far a push is, end it, or put their bytes into it",
	Run: func(ctx context.Context, p *Probe) error {
		var locations []string
		var s *session
		for range 6 {
			var err error
			if s, err = p.start(ctx, p.Repository); err != nil {
				return err
			}
			defer s.cancel(ctx)
			locations = append(locations, s.location)
		}
		if guessable(locations) {
			return s.last.violation("Locations of which one does not tell the next", strings.Join(locations[len(locations)-2:], " and "))
		}
		other := strings.Replace(s.location, "/"+p.Repository+"/", "/"+p.Other+"/", 1)
		if other == s.location {
			return nil
		}
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			a, err := p.send(ctx, request{method: method, url: other})
			if err = of("chunk-20", first(err, a.refusedIf(err))); err != nil {
				return err
			}
		}
		return nil
	},
}

// guessable reports whether addresses of uploads, in the order in which they were
// given, differ by so little that the next one can be tried out.
func guessable(locations []string) bool {
	for i := range locations[1:] {
		if len(core(locations[i], locations[i+1])) >= 6 {
			return false
		}
	}
	return true
}

// core is the part of one text in which it differs from another.
func core(a, b string) string {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a
}

var sec08 = &Check{
	ID: "sec-08", Level: May, Silent: true, Spec: "forwarded addresses", Requires: list{mono02},
	Doc:   "the Location of an upload is not where a forged X-Forwarded-Host points",
	Hurts: "users behind a proxy that lets the header through: their layers go elsewhere",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.send(ctx, request{
			method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}, header: header("X-Forwarded-Host", "forged.example", "X-Forwarded-Proto", "http"),
		})
		if err = of("mono-01", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		if strings.Contains(a.header.Get("Location"), "forged.example") {
			return a.violation("a Location of the registry's own", a.header.Get("Location"))
		}
		return nil
	},
}

var sec10 = &Check{
	ID: "sec-10", Level: Must, Silent: true, Spec: "error codes", Requires: list{ping01},
	Doc:   "a manifest that is nested a hundred thousand times is refused",
	Hurts: "operators: anybody can stop the registry",
	Run: func(ctx context.Context, p *Probe) error {
		deep := `{"schemaVersion":2,"mediaType":"` + typeImage + `","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}"
		a, err := p.putManifest(ctx, p.Repository, "deep", rawManifest(typeImage, []byte(deep)))
		return first(err, a.refusedIf(err))
	},
}

var sec13 = &Check{
	ID: "sec-13", Level: Should, Silent: true, Spec: "HTTP/1.1 framing", Requires: list{ping01},
	Doc:   "a request with two lengths that differ is refused",
	Hurts: "users behind a proxy: requests of others can be smuggled in",
	Run: func(ctx context.Context, p *Probe) error {
		head, err := p.rawHead(http.MethodPost, uploadsPath(p.Repository), "Content-Length: 0", "Content-Length: 5")
		if err != nil {
			return err
		}
		status, err := p.raw(ctx, head+"12345", false)
		if err != nil {
			return err
		}
		if status != 0 && status < 400 {
			return p.rawViolation(head+"12345", status, "status 400 for Content-Length 0 and 5 at once", told(status))
		}
		return nil
	},
}

var sec14 = &Check{
	ID: "sec-14", Level: Must, Silent: true, Spec: "docker tokens", Requires: list{auth03},
	Doc:   "no answer has the password or the token in it",
	Hurts: "users: logs and proxies keep what stands in bodies and addresses",
	Run: func(ctx context.Context, p *Probe) error {
		requests := append(p.malformed()[:4], request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}})
		for _, row := range p.mistakes() {
			requests = append(requests, row.r)
		}
		for _, r := range requests {
			a, err := p.send(ctx, r)
			if err != nil {
				return err
			}
			text := string(a.body) + a.header.Get("Location") + a.header.Get("Link")
			secrets := append(p.keys.secrets(), p.credentials.Password, p.credentials.RegistryToken, strings.TrimPrefix(p.authorization(r), "Basic "))
			for _, s := range secrets {
				if s != "" && strings.Contains(text, s) {
					return a.violation("no secret in the answer", "one")
				}
			}
		}
		return nil
	},
}
