package pusher

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A v2Pusher pushes over the V2 protocol with signed schema 1 manifests.
type v2Pusher struct{}

// A repository is one repository of a V2 registry that answered the ping.
type repository struct {
	job    *Job
	client *http.Client
	root   *url.URL
}

// Push implements Pusher. The order is docker's: ping, the pool, the tags, one
// tag after the other (P-180).
func (v2Pusher) Push(ctx context.Context, job *Job) ([]Published, error) {
	r, err := openRepository(ctx, job)
	if err != nil {
		return nil, at(StageConnect, err)
	}
	unlock, err := job.Lock()
	if err != nil {
		return nil, at(StageAuthorize, err)
	}
	defer unlock()
	tags, err := job.selectTags()
	if err != nil {
		return nil, at(StageAuthorize, err)
	}
	var published []Published
	for _, tag := range tags {
		p, err := r.pushTag(ctx, tag)
		if err != nil {
			return published, err
		}
		published = append(published, p)
	}
	return published, nil
}

// selectTags is what V2 pushes: the tag asked for, or all of them (P-184).
//
// Errors: docker's, in its words (P-046).
func (j *Job) selectTags() ([]string, error) {
	if j.Tag == "" {
		tags := j.tagNames()
		if len(tags) == 0 {
			return nil, fmt.Errorf("no tags to push for %s", j.Name.Local)
		}
		return tags, nil
	}
	if _, ok := j.Tags[j.Tag]; !ok || isDigestReference(j.Tag) {
		return nil, fmt.Errorf("error getting tags for %s: Tag does not exist for %s", j.Name.Local, j.Tag)
	}
	return []string{j.Tag}, nil
}

// openRepository pings the endpoint and prepares to authorize what follows.
func openRepository(ctx context.Context, job *Job) (*repository, error) {
	challenges, err := ping(ctx, job)
	if err != nil {
		return nil, err
	}
	root, err := url.Parse(job.Endpoint.URL)
	if err != nil {
		return nil, err
	}
	client := authorizedClient(job, challenges, "repository:"+job.Name.Remote+":push,pull")
	return &repository{job: job, client: client, root: root}, nil
}

// url is the address of something in the repository (P-055).
func (r *repository) url(path string) string {
	return r.root.ResolveReference(&url.URL{Path: "/v2/" + r.job.Name.Remote + path}).String()
}

// failed is the StageError of a request: without an authorization nothing was
// uploaded or published.
func failed(s Stage, err error) error {
	var auth *authError
	if errors.As(err, &auth) {
		s = StageAuthorize
	}
	return at(s, err)
}

// pushTag pushes a tag's layers, top first, and its manifest.
func (r *repository) pushTag(ctx context.Context, tag string) (Published, error) {
	images, id := r.job.Images, r.job.Tags[tag]
	layer, err := images.Layer(id)
	if err != nil {
		if errors.Is(err, image.ErrNoLayer) {
			err = noImageError{id: id, cause: err}
		}
		return Published{}, at(StageUpload, err)
	}
	var layers []schema1Layer
	seen := map[string]bool{}
	for !seen[layer.ID] { // an ID that repeats ends the chain (P-190)
		seen[layer.ID] = true
		d, err := r.pushLayer(ctx, layer)
		if err != nil {
			return Published{}, failed(StageUpload, err)
		}
		layers = append(layers, schema1Layer{Digest: d, V1JSON: layer.V1JSON})
		if layer.Parent == "" {
			break
		}
		parent, err := images.Layer(layer.Parent)
		if err != nil { // docker never looks at this error and signs what it has (P-192)
			r.job.Log.WarnContext(ctx, "the chain of layers is cut short", "layer", layer.ID, "err", err)
			break
		}
		layer = parent
	}
	return r.publish(ctx, tag, layers)
}

// pushLayer makes sure that the registry has a layer and gives its digest
// (P-194, P-195, P-199).
func (r *repository) pushLayer(ctx context.Context, layer image.Layer) (digest.Digest, error) {
	images := r.job.Images
	cached, err := images.Digest(layer.ID)
	if errors.Is(err, digest.ErrDigestInvalidFormat) || errors.Is(err, digest.ErrDigestUnsupported) {
		return "", checksumError{err}
	}
	if err == nil {
		switch err := r.stat(ctx, cached); {
		case err == nil:
			r.job.progress(layer.ID, "Image already exists")
			return cached, nil
		case !errors.Is(err, ErrBlobUnknown):
			r.job.progress(layer.ID, "Image push failed")
			return "", err
		}
	} else {
		cached = ""
	}
	pushed, err := r.uploadLayer(ctx, layer)
	if err != nil {
		return "", err
	}
	if pushed != cached {
		if err := images.SetDigest(layer.ID, pushed); err != nil {
			return "", err
		}
	}
	return pushed, nil
}

// A noImageError is a tag that points nowhere, in docker's words (P-185).
type noImageError struct {
	id    string
	cause error
}

func (e noImageError) Error() string { return "could not find image: no such id: " + e.id }

func (e noImageError) Unwrap() error { return e.cause }

// A checksumError is a digest cache that holds something else, in docker's words
// (P-194).
type checksumError struct{ cause error }

func (e checksumError) Error() string {
	text := digest.ErrDigestInvalidFormat.Error()
	if errors.Is(e.cause, digest.ErrDigestUnsupported) {
		text = digest.ErrDigestUnsupported.Error()
	}
	return "error getting image checksum: " + text
}

func (e checksumError) Unwrap() error { return e.cause }
