package pusher

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A v2Pusher pushes over the V2 protocol.
type v2Pusher struct{}

// A repository is one repository of a V2 registry that answered the ping.
type repository struct {
	job    *Job
	client *http.Client
	root   *url.URL

	mu          sync.Mutex // guards everything below
	confirmedV2 bool       // see Attempt
	// remote are the layers that this push knows to be there, by diff ID (P-349).
	remote map[digest.Digest]image.Descriptor
	// pushed are the digests that this push saw (P-191).
	pushed map[digest.Digest]bool
}

// Push implements Pusher. The order is docker's: ping, the pool, the tags, one
// tag after the other (P-180).
func (v2Pusher) Push(ctx context.Context, job *Job) ([]Published, error) {
	r, err := openRepository(ctx, job)
	if err != nil {
		return nil, at(StageConnect, err)
	}
	published, err := r.push(ctx)
	var staged *StageError
	if errors.As(err, &staged) {
		r.mu.Lock()
		defer r.mu.Unlock()
		staged.ConfirmedV2, staged.TransportOK = r.confirmedV2, true
	}
	return published, err
}

// push pushes the tags.
func (r *repository) push(ctx context.Context) ([]Published, error) {
	unlock, err := r.job.Lock()
	if err != nil {
		return nil, at(StageAuthorize, err)
	}
	defer unlock()
	tags, err := r.job.selectTags()
	if err != nil {
		return nil, at(StageAuthorize, err)
	}
	pushTag := r.pushTag
	if r.job.Era.Layers.Concurrency == 0 {
		pushTag = r.pushChain
	}
	var published []Published
	for _, tag := range tags {
		p, err := pushTag(ctx, tag)
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
	words := j.Era.Words
	if j.Tag == "" {
		tags := j.tagNames()
		if len(tags) == 0 {
			return nil, fmt.Errorf("no tags to push for %s", j.Name.Local)
		}
		return tags, nil
	}
	if isDigestReference(j.Tag) && words.NoDigests != "" {
		return nil, errors.New(words.NoDigests)
	}
	if _, ok := j.Tags[j.Tag]; !ok || isDigestReference(j.Tag) {
		return nil, fmt.Errorf(words.NoTag, j.Name.Local, j.Tag, j.reference(j.Tag))
	}
	return []string{j.Tag}, nil
}

// reference is a tag as docker since 1.10 names it.
func (j *Job) reference(tag string) string { return j.Name.Canonical + ":" + tag }

// openRepository pings the endpoint and prepares to authorize what follows.
func openRepository(ctx context.Context, job *Job) (*repository, error) {
	answer, err := ping(ctx, job)
	if err != nil {
		return nil, err
	}
	root, err := url.Parse(job.Endpoint.URL)
	if err != nil {
		return nil, err
	}
	client := authorizedClient(job, answer.challenges, "repository:"+job.Name.Remote+":push,pull") // in this order (P-518)
	return &repository{
		job: job, client: client, root: root, confirmedV2: answer.speaksV2,
		remote: map[digest.Digest]image.Descriptor{}, pushed: map[digest.Digest]bool{},
	}, nil
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
