package pusher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrUnauthorized means that a registry refused the credentials of a login.
var ErrUnauthorized = errors.New("unauthorized: incorrect username or password")

// Login asks a registry ("127.0.0.1:5000", an URL, or "" for docker.io) whether
// it takes the credentials, at each V2 endpoint of the era in order. A registry
// that asks nobody takes any.
//
// Errors: ErrUnauthorized, wrapped with where; the last endpoint's error when
// none could be asked; ctx's error.
func (c *Client) Login(ctx context.Context, registry string, credentials Credentials) error {
	defer c.config.Clock.Work()()
	host := strings.TrimPrefix(strings.TrimPrefix(registry, "https://"), "http://")
	host, _, _ = strings.Cut(host, "/")
	name := Name{Index: cmp.Or(host, officialIndex), Remote: "login"}
	if name.Index == "index."+officialIndex || name.Index == "registry-1."+officialIndex {
		name.Index = officialIndex
	}
	targets, err := c.targets(ctx, name)
	if err != nil {
		return err
	}
	err = fmt.Errorf("login at %s: %w", name.Index, ErrNoEndpoint)
	for _, t := range targets {
		if t.Version != V2 {
			continue
		}
		err = c.login(ctx, t, credentials)
		if err == nil || errors.Is(err, ErrUnauthorized) || ctx.Err() != nil {
			break
		}
	}
	return err
}

// login asks one endpoint: without credentials first, for the challenges, then
// with them.
func (c *Client) login(ctx context.Context, t target, credentials Credentials) error {
	rt, links := c.transport(t.tls, nil)
	defer links.release()
	job := &Job{
		Era: c.config.Era, Endpoint: t.Endpoint, Credentials: credentials,
		Transport: rt, Clock: c.config.Clock, Log: c.config.Log,
	}
	answer, err := ping(ctx, job)
	if err != nil || len(answer.challenges) == 0 {
		return err
	}
	authorized := authorizedClient(job, answer.challenges, "")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL+"/v2/", nil)
	if err != nil {
		return err
	}
	resp, done, err := limited(ctx, job.Clock, job.Era.TokenTimeout, authorized, req)
	defer done()
	var refused *tokenStatusError
	if errors.As(err, &refused) && (refused.status == http.StatusUnauthorized || refused.status == http.StatusForbidden) {
		return fmt.Errorf("login attempt to %s/v2/: the token service answered %d %s: %w", t.URL, refused.status, http.StatusText(refused.status), ErrUnauthorized)
	}
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("login attempt to %s/v2/ failed with status: %s: %w", t.URL, resp.Status, ErrUnauthorized)
	case !success(resp):
		return fmt.Errorf("login attempt to %s/v2/ failed with status: %s", t.URL, resp.Status)
	}
	return nil
}
