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

// ping asks the endpoint whether it speaks V2 and gives the challenges that it
// answered with, by the URL that they count for. The status does not matter
// (P-090 to P-093).
func ping(ctx context.Context, job *Job) (map[string][]challenge, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, job.Endpoint.URL+"/v2/", nil)
	if err != nil {
		return nil, err
	}
	resp, done, err := limited(ctx, job.Clock, job.Era.PingTimeout, &http.Client{Transport: job.Transport}, req)
	defer done()
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	demanded := job.Era.VersionHeader && !job.Endpoint.Official && !job.Endpoint.Mirror
	if demanded && !saysV2(resp.Header) {
		return nil, errNotV2
	}
	list := challengesOf(resp)
	if len(list) == 0 {
		return nil, nil
	}
	at := resp.Request.URL // after redirects
	key := url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path}
	return map[string][]challenge{key.String(): list}, nil
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
