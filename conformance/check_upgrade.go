package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

var ref12 = &Check{
	ID: "ref-12", Level: Must, Spec: "upgrading", Requires: list{ref01, man03}, Uses: list{ref07, ref03, ref04},
	Doc:   "a referrer that a tag of the old way lists is among the referrers, once",
	Hurts: "cosign and oras users whose signatures are older than the registry's referrers",
	Run: withReferrers(func(ctx context.Context, p *Probe, subject, one, two manifest) error {
		kept := []descriptor{one.descriptor(), two.descriptor()}
		old := document{SchemaVersion: 2, MediaType: typeIndex, Manifests: &kept}.manifest()
		if err := p.store(ctx, p.Repository, old, strings.Replace(subject.digest.String(), ":", "-", 1)); err != nil {
			return err
		}
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
		if err != nil {
			return err
		}
		seen := map[digest.Digest]int{}
		for _, d := range list {
			seen[d.Digest]++
		}
		if seen[one.digest] != 1 || seen[two.digest] != 1 {
			return a.violation("each of the two referrers once", fmt.Sprintf("%d of one and %d of the other", seen[one.digest], seen[two.digest]))
		}
		return nil
	}),
}
