package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// eraV1Checks push over V1, where that is alive.
func eraV1Checks() list { return list{eraV1} }

var eraV1 = &Check{
	ID: "era-docker-1.8-v1", Level: May, Silent: true, Spec: "docker v1", Requires: list{v102}, Uses: list{v103},
	Doc:   "an image that docker 1.8 pushes over V1 arrives",
	Hurts: "docker before 1.13 where V2 is not to be had: this is docker 1.8's push",
	Run: func(ctx context.Context, p *Probe) error {
		if err := p.alive(ctx); err != nil {
			return err
		}
		done, err := p.pushes(ctx, p.eraAt(pusher.Docker18(), pusher.V1), dockerImage, p.Repository, "tag")
		if err != nil {
			return err
		}
		if err := done[0].failed(); err != nil {
			return err
		}
		err = p.arrivedV1(ctx, done[0])
		if errors.Is(err, errStranger) { // the push is all that there is to see
			p.note("the image over V1", "is shown to nobody without a token")
			return nil
		}
		return err
	},
}

// arrivedV1 demands that the tag leads to the images of a push, with the layers that
// were sent.
func (p *Probe) arrivedV1(ctx context.Context, d pushed) error {
	a, err := p.get(ctx, "/v1/repositories/"+p.Repository+"/images", "X-Docker-Token", "true")
	if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
		return err
	}
	token := p.tokenV1(a)
	get := func(path string, into any) (*answer, error) {
		a, err := p.asUnless(ctx, token, request{method: http.MethodGet, url: path})
		if err = first(err, a.wantIf(err, http.StatusOK)); err == nil && into != nil && json.Unmarshal(a.body, into) != nil {
			err = a.violation("JSON", excerpt(a.body))
		}
		return a, err
	}
	var top string
	if _, err := get("/v1/repositories/"+p.Repository+"/tags/tag", &top); err != nil {
		return err
	}
	var ids []string
	if a, err = get("/v1/images/"+top+"/ancestry", &ids); err != nil {
		return err
	}
	if sizes, _ := madeLayers(); len(ids) != len(sizes) {
		return a.violation("an image of "+count(len(sizes), "layer"), count(len(ids), "layer"))
	}
	for _, id := range ids {
		var doc struct{ ID string }
		if a, err = get("/v1/images/"+id+"/json", &doc); err != nil {
			return err
		}
		if doc.ID != id {
			return a.violation("the image "+id, quoteOr(doc.ID))
		}
		if a, err = get("/v1/images/"+id+"/layer", nil); err != nil {
			return err
		}
		if sent := d.line.layerOf(id); digestOf(a.body) != sent.exchange.Request.Body.Digest {
			return a.violation("the layer that was pushed, of digest "+sent.exchange.Request.Body.Digest.String(), count(len(a.body), "byte")+" of digest "+digestOf(a.body).String())
		}
	}
	return nil
}

// layerOf is the answer to the layer of a V1 image; an empty one where none was sent.
func (l *line) layerOf(id string) *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.answers, func(a *answer) bool {
		return a.exchange.Route.Op == wire.OpV1LayerPut && a.exchange.Route.ImageID == id
	})
	if i < 0 {
		return &answer{}
	}
	return l.answers[i]
}
