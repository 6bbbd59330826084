package pusher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// v1Workers is how many look-ups go out at once (P-425).
const v1Workers = 5

// errV1Exists is a registry's answer that it has an image: a reason to skip it
// when it comes to the JSON, an error when it comes to the checksum (P-426, P-428).
var errV1Exists = errors.New("Image already exists") //nolint:staticcheck,revive // docker's words

// lookUp asks an endpoint which images it has. Whatever is not a plain yes means
// no, a broken connection included (P-425). What is there is told in the order of
// the list; docker tells it in the order of the answers, which race.
//
// Errors: only ctx's.
func (s *v1Session) lookUp(ctx context.Context, endpoint string, images []v1Image) (present []bool, err error) {
	present = make([]bool, len(images))
	var next atomic.Int64
	workers := clock.NewGroup(s.job.Clock)
	for range min(v1Workers, len(images)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(images); i = next.Add(1) - 1 {
				present[i] = s.has(withLayer(ctx, images[i].id), endpoint, images[i].id)
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, img := range images {
		switch {
		case present[i] && s.job.Era.V1.Lean:
			s.job.progress(s.shown(img, true), "Already exists")
		case s.job.Era.V1.Lean:
			s.job.progress(s.shown(img, false), "Waiting")
		case present[i]:
			s.job.status(fmt.Sprintf("Image %s already pushed, skipping", shortID(img.layer.ID)))
		}
	}
	return present, nil
}

// has asks for one image's JSON and looks at the status only.
func (s *v1Session) has(ctx context.Context, endpoint, id string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"images/"+id+"/json", nil)
	if err != nil {
		return false
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// putJSON sends an image's JSON (P-426).
//
// Errors: errV1Exists; *HTTPError; net/http's behind docker's words.
func (s *v1Session) putJSON(ctx context.Context, endpoint string, img v1Image) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+"images/"+img.id+"/json", bytes.NewReader(img.layer.V1JSON))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("Failed to upload metadata: %w", err) //nolint:staticcheck,revive // docker's words
	}
	defer resp.Body.Close() //nolint:errcheck // what counts was read
	if resp.StatusCode == http.StatusUnauthorized && strings.HasPrefix(endpoint, "http://") {
		return &HTTPError{Code: resp.StatusCode, Message: "HTTP code 401, Docker will not send auth headers over HTTP."}
	}
	err = v1Metadata(resp)
	if err != nil && !errors.Is(err, errV1Exists) {
		return &HTTPError{Code: resp.StatusCode, Message: err.Error()}
	}
	return err
}

// putChecksum sends what the layer that was sent sums up to (P-428).
//
// Errors: docker's, none of them with a code; net/http's behind docker's words.
func (s *v1Session) putChecksum(ctx context.Context, endpoint string, img v1Image, sums v1Checksums) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+"images/"+img.id+"/checksum", nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Docker-Checksum", sums.tarsum)
	req.Header.Set("X-Docker-Checksum-Payload", sums.payload)
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("Failed to upload metadata: %w", err) //nolint:staticcheck,revive // docker's words
	}
	defer resp.Body.Close() //nolint:errcheck // what counts was read
	return v1Metadata(resp)
}

// v1Metadata is nil for a 200 and docker's words for any other answer to
// metadata. A body that is no JSON map of strings is replaced by what is wrong
// with it.
func v1Metadata(resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, v1BodyLimit))
	if err != nil {
		return fmt.Errorf("HTTP code %d while uploading metadata and error when trying to parse response body: %w", resp.StatusCode, err)
	}
	var answer map[string]string
	if err := json.Unmarshal(body, &answer); err != nil {
		body = []byte(err.Error())
	} else if answer["error"] == errV1Exists.Error() {
		return errV1Exists
	}
	return fmt.Errorf("HTTP code %d while uploading metadata: %q", resp.StatusCode, body)
}

// putTag points a tag at an image (P-429).
//
// Errors: *HTTPError; net/http's.
func (s *v1Session) putTag(ctx context.Context, endpoint string, img v1Image, tag string) error {
	path := "repositories/" + s.job.Name.Remote + "/tags/" + tag
	rev := img.layer.ID
	if s.job.Era.V1.Lean {
		rev = img.id
	}
	s.job.status(fmt.Sprintf("Pushing tag for rev [%s] on {%s}", shortID(rev), endpoint+path))
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+path, strings.NewReader(`"`+img.id+`"`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return &HTTPError{
			Code:    resp.StatusCode,
			Message: fmt.Sprintf("Internal server error: %d trying to push tag %s on %s", resp.StatusCode, tag, s.job.Name.Remote),
		}
	}
	return nil
}
