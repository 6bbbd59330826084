// Package pusher pushes local images as docker does: endpoints in order, a
// protocol per version, an Era (which docker) that says how, and a Policy that
// says what a failure means for the next endpoint.
package pusher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"

	"github.com/docker/libtrust"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// A Client pushes. It holds what is shared between pushes: the pool of names
// being pushed (P-181). It is safe for concurrent use.
type Client struct {
	config    Config // with every default filled in
	mirrors   []*url.URL
	insecures insecureList
	pool      pool
	transfers *transfers
	protocols map[Version]Pusher
}

// New makes a client. It opens nothing.
//
// Errors: of the Config; a mirror that is none has docker's words (P-058).
func New(c Config) (*Client, error) {
	if c.Images == nil {
		return nil, errors.New("pusher: no image store: set Config.Images")
	}
	if c.Era.Policy == nil || len(c.Era.Endpoints) == 0 {
		return nil, errors.New("pusher: no era: set Config.Era, such as to Docker18()")
	}
	client := &Client{
		insecures: newInsecureList(c.InsecureRegistries, c.Secure),
		protocols: map[Version]Pusher{V1: v1Pusher{}, V2: c.Era.Way.pusher()},
	}
	for _, m := range c.Mirrors {
		u, err := parseMirror(m)
		if err != nil {
			return nil, err
		}
		client.mirrors = append(client.mirrors, u)
	}
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Resolve == nil {
		c.Resolve = systemResolve
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.TrustKey == nil {
		key, err := libtrust.GenerateECP256PrivateKey()
		if err != nil {
			return nil, fmt.Errorf("pusher: trust key: %w", err)
		}
		c.TrustKey = key
	}
	if c.Metadata == nil {
		c.Metadata = metadata.InMemory()
	}
	client.config = c
	client.transfers = newTransfers(c.Clock, cmp.Or(c.MaxConcurrentUploads, c.Era.Layers.Concurrency))
	return client, nil
}

// Push pushes repository:tag, or every tag when tag is "". The repository is
// the local name and says where to ("127.0.0.1:5000/lib/app").
//
// The Result is never nil. Errors: ctx's error when ctx ended; *FailedError with
// every attempt's reason; errors of the local state and of the name, as docker
// words them. No goroutine, connection or temporary file outlives the call.
func (c *Client) Push(ctx context.Context, repository, tag string, o Options) (*Result, error) {
	defer c.config.Clock.Work()()
	result := &Result{}
	name, err := c.config.Era.Names.Parse(repository)
	if err == nil {
		err = c.config.Era.Names.checkTag(tag)
	}
	if err != nil {
		return result, err
	}
	targets, err := c.targets(ctx, name)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return result, err
	}
	r := &reporter{handle: o.Progress}
	defer r.close()
	job := c.job(name, tag, o, r)
	if err := job.lookPlatform(); err != nil {
		return result, err
	}
	if err = c.push(ctx, targets, job, result); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		r.report(Event{Err: err})
	}
	return result, err
}

// job is the push without its endpoint.
func (c *Client) job(name Name, tag string, o Options, r *reporter) Job {
	return Job{
		Era:         c.config.Era,
		Name:        name,
		Tag:         tag,
		TagOrder:    o.TagOrder,
		Images:      c.config.Images,
		Credentials: o.Credentials,
		meta:        o.Meta,
		recorder:    c.config.Recorder,
		TrustKey:    c.config.TrustKey,
		TempDir:     c.config.TempDir,
		Clock:       c.config.Clock,
		Log:         c.config.Log,
		Report:      r.report,
		Lock:        func() (func(), error) { return c.pool.add(name.Local, c.config.Era.Words.InProgress) },

		concurrency:  c.config.MaxConcurrentUploads,
		chunk:        c.config.ChunkSize,
		platform:     o.Platform,
		allowForeign: c.config.AllowNondistributable,
		allowSchema1: c.config.AllowSchema1 && c.config.Era.Schema1Allowed,
		metadata:     c.config.Metadata,
		transfers:    c.transfers,
	}
}

// push tells the first line, looks at the local repository, and goes through the
// targets (P-022, P-040, P-046).
func (c *Client) push(ctx context.Context, targets []target, job Job, result *Result) error {
	tags, err := job.Images.Tags(job.Name.Local)
	n := 1
	if job.Tag == "" {
		n = len(tags) // digest references too
	}
	job.status(fmt.Sprintf(job.Era.Words.Refers, job.Name.Canonical, n))
	if err != nil {
		return localError{text: fmt.Sprintf(job.Era.Words.NoName, job.Name.Canonical, job.Name.Local), cause: err}
	}
	job.Tags = tags
	if err := job.lookArtifact(); err != nil {
		return err
	}
	return c.try(ctx, targets, job, result)
}

// try goes through the targets for as long as the policy lets it.
func (c *Client) try(ctx context.Context, targets []target, job Job, result *Result) error {
	for _, t := range targets {
		decision := c.config.Era.Policy(result.Attempts, t.Endpoint)
		c.config.Log.DebugContext(ctx, "endpoint", "decision", decision.String(), "url", t.URL, "version", t.Version.String(), "repository", job.Name.Canonical)
		if decision == Stop {
			break
		}
		if decision == Skip {
			result.Attempts = append(result.Attempts, Attempt{Endpoint: t.Endpoint, Skipped: true})
			continue
		}
		job.Endpoint = t.Endpoint
		published, err := c.attempt(ctx, t, job)
		result.Published = append(result.Published, published...)
		if err == nil {
			result.Via = t.Version
			result.Attempts = append(result.Attempts, Attempt{Endpoint: t.Endpoint, Stage: StagePublish})
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err() // never a reason to fall back
		}
		a := attemptOf(t.Endpoint, err)
		c.config.Log.InfoContext(ctx, "attempt failed", "url", t.URL, "version", t.Version.String(), "stage", a.Stage.String(), "err", err)
		result.Attempts = append(result.Attempts, a)
	}
	return failure(job.Name, result.Attempts)
}

// attempt pushes the job to one target.
func (c *Client) attempt(ctx context.Context, t target, job Job) ([]Published, error) {
	p, ok := c.protocols[t.Version]
	if !ok {
		return nil, at(StageConnect, fmt.Errorf("unknown version %d for registry %s", t.Version, t.URL))
	}
	rt, links := c.transport(t.tls, job.meta)
	defer links.release()
	job.Transport, job.retain = rt, links.retain
	return p.Push(ctx, &job)
}

// failure is the error of a push that no endpoint took: the last endpoint's is
// shown (P-103).
func failure(name Name, attempts []Attempt) error {
	var shown error
	for _, a := range attempts {
		if a.Err != nil {
			shown = a.Err
		}
	}
	if shown == nil {
		return noEndpointError{name: name.Canonical}
	}
	return &FailedError{Attempts: attempts, Shown: shown}
}
