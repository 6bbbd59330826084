package conformance

import (
	"context"
	"slices"

	"github.com/pushcheck/pushcheck/pusher"
)

// eraChecks push whole images, exactly as real clients do.
func eraChecks() list { return list{eraDocker18, eraDocker2010, eraDocker28, eraContainerd, eraBest} }

// asEra pushes an image of so many layers as an era does: once, which must leave all
// of it; once more, which must end with the same; and three times at once.
func asEra(era func() pusher.Era, from source, layers int) func(ctx context.Context, p *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		e := p.eraAt(era(), pusher.V2)
		var digest string
		for range 2 {
			done, err := p.pushes(ctx, e, from, p.Repository, "tag")
			if err != nil {
				return err
			}
			d := done[0]
			if err := p.arrived(ctx, p.Repository, d, layers); err != nil {
				return err
			}
			now := d.result.Published[0].Digest
			if digest != "" && now != digest {
				return d.suspect(d.line.last(), "the digest "+digest+" of the first push", now)
			}
			digest = now
		}
		done, err := p.pushes(ctx, e, from, p.Other, "one", "two", "three")
		if err != nil {
			return err
		}
		for _, d := range done {
			if err := p.arrived(ctx, p.Other, d, layers); err != nil {
				return err
			}
		}
		return nil
	}
}

// usedByAll is what every push needs.
func usedByAll(more ...*Check) list {
	return slices.Concat(list{mono01, mono02, mono03, mono05, blob01, blob02, blob03, mount01, mount02, man10, dig01, dig02, conc01, blob14, err12, sec01}, more)
}

// usedByDocker is what the push of docker itself needs, which streams its layers by
// PATCH.
func usedByDocker(more ...*Check) list {
	return slices.Concat(usedByAll(more...), list{chunk01, chunk02, chunk03, chunk10, chunk13, chunk19})
}

var eraDocker18 = &Check{
	ID: "era-docker-1.8", Level: May, Silent: true, Spec: "docker schema 1", Requires: list{mono02, man05, ping02},
	Uses:  usedByDocker(),
	Doc:   "an image that docker 1.8 pushes arrives: once, again, and three times at once",
	Hurts: "docker 1.8 and 1.9 themselves: this is their push, with its schema 1 manifest",
	Run:   asEra(pusher.Docker18, dockerImage, 4),
}

var eraDocker2010 = &Check{
	ID: "era-docker-20.10", Level: Must, Silent: true, Spec: "docker schema 2", Requires: list{mono02},
	Uses:  usedByDocker(man01),
	Doc:   "an image that docker 20.10 pushes arrives: once, again, and three times at once",
	Hurts: "docker 20.10 itself: this is its push, layers streamed and compressed on the way",
	Run:   asEra(pusher.Docker2010, dockerImage, 4),
}

var eraDocker28 = &Check{
	ID: "era-docker-28", Level: Must, Silent: true, Spec: "docker schema 2", Requires: list{mono02},
	Uses:  usedByDocker(man01),
	Doc:   "an image that docker 28 pushes arrives: once, again, and three times at once",
	Hurts: "docker 28 itself, with its own image store: this is its push",
	Run:   asEra(pusher.Docker28, dockerImage, 4),
}

var eraContainerd = &Check{
	ID: "era-containerd", Level: Must, Silent: true, Spec: "pushing manifests", Requires: list{mono02},
	Uses:  usedByAll(man03),
	Doc:   "an OCI image that docker with containerd's image store pushes arrives: once, again, and three times at once",
	Hurts: "docker since 29, and any with containerd's image store; nerdctl and buildkit push alike",
	Run:   asEra(pusher.Containerd, ociImage, 3),
}

var eraBest = &Check{
	ID: "era-best", Level: Must, Silent: true, Spec: "pushing manifests", Requires: list{mono02},
	Uses:  usedByAll(man03, man04, man11),
	Doc:   "an OCI index of two platforms that is pushed with the fewest requests arrives: once, again, and three times at once",
	Hurts: "buildkit, oras, crane and others that push indexes, each blob in one PUT and no more requests than are needed",
	Run:   asEra(pusher.Best, ociIndex, 6),
}
