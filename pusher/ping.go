package pusher

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// errNotV2 is docker's word for a registry that did not say it speaks V2 (P-092).
var errNotV2 = errors.New("endpoint does not support v2 API")

// versionHeader is how a registry says which protocol it speaks (P-050).
const versionHeader = "Docker-Distribution-Api-Version"

// A pong is what the answer to a ping says.
type pong struct {
	// challenges by the URL that they count for; nil when there are none.
	challenges map[string][]challenge
	speaksV2   bool // it has the version header
}

// ping asks the endpoint whether it speaks V2. The status does not matter (P-090
// to P-094).
func ping(ctx context.Context, job *Job) (pong, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, job.Endpoint.URL+"/v2/", nil)
	if err != nil {
		return pong{}, err
	}
	resp, done, err := limited(ctx, job.Clock, job.Era.PingTimeout, &http.Client{Transport: job.Transport}, req)
	defer done()
	if err != nil {
		return pong{}, err
	}
	_ = resp.Body.Close()
	demanded := job.Era.VersionHeader && !job.Endpoint.Official && !job.Endpoint.Mirror
	answer := pong{speaksV2: saysV2(resp.Header)}
	if demanded && !answer.speaksV2 {
		return pong{}, errNotV2
	}
	if list := challengesOf(resp); len(list) > 0 {
		at := resp.Request.URL // after redirects
		key := url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path}
		answer.challenges = map[string][]challenge{key.String(): list}
	}
	return answer, nil
}

// saysV2 looks for registry/2.0 among all values of the version header.
func saysV2(h http.Header) bool {
	for _, value := range h.Values(versionHeader) {
		for version := range strings.FieldsSeq(value) {
			kind, number, found := strings.Cut(version, "/")
			if found && strings.EqualFold(kind, "registry") && number == "2.0" {
				return true
			}
		}
	}
	return false
}
