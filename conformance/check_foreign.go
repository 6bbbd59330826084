package conformance

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// foreignChecks look at mounts from where one may not read, and at what mounts say
// that they are.
func foreignChecks() list { return list{mount04, mount07, mount10, sec12} }

// foreign is a blob of the other repository, and a token that opens this one alone.
//
// Errors: a *SkipError when everybody may read everything.
func (p *Probe) foreign(ctx context.Context) (blob, string, error) {
	if !p.known() {
		return blob{}, "", &SkipError{Reason: "without tokens everything can be read"}
	}
	b, err := p.mountable(ctx)
	if err != nil {
		return b, "", err
	}
	token, err := p.scoped(ctx, "repository:"+p.Repository+":pull,push")
	return b, token, err
}

// mountAs asks for a mount from the other repository, with a token.
func (p *Probe) mountAs(ctx context.Context, token, d string) (*answer, error) {
	return p.as(ctx, "Bearer "+token, mountOf(p.Repository, d, p.Other))
}

// mountForeign asks for a mount of a blob that the token may not read.
func (p *Probe) mountForeign(ctx context.Context) (blob, *answer, error) {
	b, token, err := p.foreign(ctx)
	if err != nil {
		return b, nil, err
	}
	a, err := p.mountAs(ctx, token, b.digest.String())
	return b, a, err
}

var mount04 = &Check{
	ID: "mount-04", Level: Should, Spec: "mounting", Requires: list{auth03}, Uses: list{mono03, mount03},
	Doc:   "a mount from where one may not read starts an upload, or says which right is missing",
	Hurts: "containerd and buildkit: a 403 at a mount ends the whole push",
	Run: func(ctx context.Context, p *Probe) error {
		_, a, err := p.mountForeign(ctx)
		if err != nil {
			return err
		}
		if a.status == http.StatusUnauthorized && grants(a.scopes(), p.Other, "pull") {
			return &SkipError{Reason: "a mount asks for the right to read its source first", FellBack: true}
		}
		if a.status == http.StatusCreated {
			return nil // mount-07's business
		}
		return a.want(http.StatusAccepted)
	},
}

var mount07 = &Check{
	ID: "mount-07", Level: Must, Silent: true, Spec: "isolation", Requires: list{auth03}, Uses: list{mono03},
	Doc:   "a blob cannot be mounted from where one may not read",
	Hurts: "users of a shared registry: who knows a digest gets the layer",
	Run: func(ctx context.Context, p *Probe) error {
		b, a, err := p.mountForeign(ctx)
		if err != nil {
			return err
		}
		if a.status == http.StatusCreated {
			p.remember(blobPath(p.Repository, b.digest))
			return a.violation("no mount", a.said())
		}
		return nil
	},
}

var mount10 = &Check{
	ID: "mount-10", Level: May, Silent: true, Spec: "mounting", Requires: list{mount01}, Uses: list{mono03},
	Doc:   "what a mount answers is so: after 201 the blob is there, after 202 it is not, and it is the same each time",
	Hurts: "clients that plan with mounts (buildkit): half of them upload after all",
	Run: func(ctx context.Context, p *Probe) error {
		mounted := 0
		const tries = 3
		var last *answer
		for i := range tries {
			b := p.blob(fmt.Sprint("mounted ", i), 90)
			if err := p.push(ctx, p.Other, b); err != nil {
				return err
			}
			a, err := p.mount(ctx, p.Repository, b.digest.String(), p.Other)
			if err = first(err, a.wantIf(err, http.StatusCreated, http.StatusAccepted)); err != nil {
				return err
			}
			want := http.StatusNotFound
			if a.status == http.StatusCreated {
				want = http.StatusOK
				mounted++
				p.remember(blobPath(p.Repository, b.digest))
			}
			h, err := p.head(ctx, blobPath(p.Repository, b.digest))
			if err = first(err, h.wantIf(err, want)); err != nil {
				return err
			}
			last = a
		}
		p.note("mounts", map[bool]string{true: "supported", false: "fall back to an upload"}[mounted > 0])
		switch mounted {
		case 0:
			return &SkipError{Reason: "a mount starts an upload", FellBack: true}
		case tries:
			return nil
		}
		return last.violation("every mount alike", fmt.Sprintf("%d of %d mounted", mounted, tries))
	},
}

var sec12 = &Check{
	ID: "sec-12", Level: Should, Timed: true, Silent: true, Spec: "isolation", Requires: list{mount07}, Uses: list{mono03},
	Doc:   "a mount from where one may not read is answered alike, and as fast, whether the blob is there or not",
	Hurts: "users of a shared registry: others find out what they have",
	Run: func(ctx context.Context, p *Probe) error {
		there, token, err := p.foreign(ctx)
		if err != nil {
			return err
		}
		absent := p.blob("absent", 90)
		var telling float64
		for range 2 { // what shows once may be chance
			var took [2][]time.Duration
			for range 9 {
				var answers [2]*answer
				for i, b := range []blob{there, absent} {
					began := p.clock.Now()
					if answers[i], err = p.mountAs(ctx, token, b.digest.String()); err != nil {
						return err
					}
					took[i] = append(took[i], p.clock.Now().Sub(began))
				}
				if answers[0].status != answers[1].status {
					return answers[0].violation("the answer that an absent blob gets: "+answers[1].said(), answers[0].said())
				}
			}
			present, missing := median(took[0]), median(took[1])
			p.measure("mount of a foreign blob", ms(present), "ms")
			p.measure("mount of an absent one", ms(missing), "ms")
			if telling = float64(max(present, missing)) / float64(max(min(present, missing), time.Microsecond)); telling < 4 || max(present, missing)-min(present, missing) < 20*time.Millisecond {
				return nil
			}
		}
		return &Violation{Want: "answers as fast for a foreign blob as for an absent one", Got: fmt.Sprintf("one takes %.0f times as long", telling)}
	},
}

// median is the middle one of some durations; 0 of none.
func median(all []time.Duration) time.Duration { return quantile(all, 0.5) }

// quantile is the duration below which a part of all lie.
func quantile(all []time.Duration, part float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}

// ms is a duration in milliseconds.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
