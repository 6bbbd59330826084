package conformance

import (
	"context"
	"strings"
)

// warned are answers in which a registry may warn: of each kind of thing there is.
func (p *Probe) warned(ctx context.Context) ([]*answer, error) {
	paths := []string{"/v2/", tagsPath(p.Repository, ""), blobPath(p.Repository, p.blob("absent", 10).digest), manifestPath(p.Repository, "absent")}
	var answers []*answer
	if m, reference, b, err := p.tagged(ctx); err == nil {
		paths = append(paths, manifestPath(p.Repository, reference), manifestPath(p.Repository, m.digest.String()), blobPath(p.Repository, b.digest), referrersPath(p.Repository, m.digest))
		if p.given == nil {
			a, err := p.putManifest(ctx, p.Repository, reference, m)
			if err != nil {
				return nil, err
			}
			answers = append(answers, a)
			s, err := p.start(ctx, p.Repository)
			if err != nil {
				return nil, err
			}
			if a, err = s.put(ctx, b.digest, b.data); err != nil {
				return nil, err
			}
			answers = append(answers, s.last, a)
		}
	}
	for _, path := range paths {
		a, err := p.get(ctx, path, "Accept", acceptAll)
		if err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	return answers, nil
}

var err11 = &Check{
	ID: "err-11", Level: Must, Pull: true, Spec: "warnings", Requires: list{ping01},
	Doc:   "a Warning is 299 - and a text, of at most 4096 bytes in all",
	Hurts: "clients that show warnings to their users (regctl, helm)",
	Run: func(ctx context.Context, p *Probe) error {
		answers, err := p.warned(ctx)
		if err != nil {
			return err
		}
		for _, a := range answers {
			size := 0
			for _, w := range a.header.Values("Warning") {
				size += len(w)
				if !isWarning(w) {
					return a.violation(`a Warning such as 299 - "text"`, quoteOr(w[:min(len(w), 80)]))
				}
			}
			if size > 4096 {
				return a.violation("Warnings of at most 4096 bytes", count(size, "byte"))
			}
		}
		return nil
	},
}

// isWarning reports whether a text is 299, a dash and one quoted string, as the
// specification wants it: no agent and no date.
func isWarning(w string) bool {
	text, ok := strings.CutPrefix(w, `299 - "`)
	for ok && text != "" {
		switch {
		case text[0] == '"':
			return text == `"`
		case text[0] == '\\' && len(text) > 1:
			text = text[2:]
		default:
			text = text[1:]
		}
	}
	return false
}

var err12 = &Check{
	ID: "err-12", Level: Must, Pull: true, Silent: true, Spec: "HTTP HEAD", Requires: list{ping01},
	Doc:   "HEAD of what is not there answers as GET does",
	Hurts: "docker, which asks for manifests by HEAD and GET in turn",
	Run: func(ctx context.Context, p *Probe) error {
		absent := p.blob("absent", 10).digest
		for _, path := range []string{
			blobPath(p.Repository, absent), manifestPath(p.Repository, "absent"), manifestPath(p.Repository, absent.String()),
			blobPath(p.Repository+"/nothing", absent), manifestPath(p.Repository+"/nothing", "absent"),
		} {
			g, err := p.get(ctx, path)
			if err != nil {
				return err
			}
			h, err := p.head(ctx, path)
			if err = first(err, h.wantIf(err, g.status)); err != nil {
				return err
			}
		}
		return nil
	},
}
