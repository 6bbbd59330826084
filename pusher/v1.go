package pusher

import (
	"context"
	"errors"
	"fmt"
)

// A v1Pusher pushes over the V1 protocol, as docker did until 1.13 (P-420 to
// P-432). It keeps nothing between pushes.
type v1Pusher struct{}

var _ Pusher = v1Pusher{}

// Push implements Pusher. Only an endpoint that cannot be pinged leaves the next
// one a chance (P-101).
func (v1Pusher) Push(ctx context.Context, job *Job) ([]Published, error) {
	s, err := newV1Session(ctx, job)
	if err != nil {
		return nil, at(StageConnect, err)
	}
	defer s.close()
	return s.pushRepository(ctx)
}

// pushRepository takes the repository to every endpoint that the index names, in
// docker's order of steps.
func (s *v1Session) pushRepository(ctx context.Context) ([]Published, error) {
	list, err := s.images(ctx)
	if err != nil {
		return nil, at(StageAuthorize, err)
	}
	if !s.job.Era.V1.Lean {
		s.job.status("Sending image list")
	}
	unlock, err := s.job.Lock()
	if err != nil {
		return nil, at(StageAuthorize, err)
	}
	defer unlock()

	endpoints, err := s.putImageList(ctx, list.index())
	if err != nil {
		return nil, at(StageAuthorize, err)
	}
	if !s.job.Era.V1.Lean {
		s.job.status(fmt.Sprintf("Pushing repository %s (%d tags)", s.job.Name.Canonical, s.tagCount()))
	}
	var published []Published
	for _, endpoint := range endpoints {
		tags, err := s.pushToEndpoint(ctx, endpoint, list)
		if published = merge(published, tags); err != nil {
			return published, err
		}
	}
	return published, at(StagePublish, s.putChecksumList(ctx, endpoints))
}

// images are what there is to push.
func (s *v1Session) images(ctx context.Context) (*v1List, error) {
	if s.job.Era.V1.Lean {
		return newLaterV1List(s.job)
	}
	return newV1List(ctx, s.job)
}

// tagCount is how many tags docker says it pushes: all that the repository has,
// digest references included, unless one was asked for (P-044).
func (s *v1Session) tagCount() int {
	if s.job.Tag != "" {
		return 1
	}
	return len(s.job.Tags)
}

// pushToEndpoint pushes what one endpoint lacks, base first, and then each
// image's tags (P-425, P-429). The first error ends it (P-431).
func (s *v1Session) pushToEndpoint(ctx context.Context, endpoint string, list *v1List) ([]Published, error) {
	present, err := s.lookUp(ctx, endpoint, list.images)
	if err != nil {
		return nil, at(StageUpload, err)
	}
	var published []Published
	for i, img := range list.images {
		if !present[i] {
			if err := s.pushImage(ctx, endpoint, img); err != nil {
				return published, at(StageUpload, err)
			}
		}
		for _, tag := range img.tags {
			if err := s.putTag(ctx, endpoint, img, tag); err != nil {
				return published, at(StagePublish, err)
			}
			published = append(published, Published{Tag: tag})
		}
	}
	return published, nil
}

// pushImage sends one image: JSON, layer, checksums (P-426 to P-428). Its events
// name the layer by its own ID until the registry was asked, and by the ID that
// the registry knows afterwards.
func (s *v1Session) pushImage(ctx context.Context, endpoint string, img v1Image) error {
	s.job.progress(s.shown(img, false), "Pushing")
	switch err := s.putJSON(ctx, endpoint, img); {
	case errors.Is(err, errV1Exists):
		s.job.progress(s.shown(img, true), "Image already pushed, skipping")
		return nil
	case err != nil:
		return err
	}
	if !s.job.Era.V1.Lean {
		if err := s.bufferLayer(ctx, img); err != nil {
			return fmt.Errorf("Failed to generate layer archive: %w", err) //nolint:staticcheck,revive // docker's words
		}
	}
	sums, err := s.putLayer(ctx, endpoint, img)
	if err != nil {
		return err
	}
	if err := s.putChecksum(ctx, endpoint, img, sums); err != nil {
		return err
	}
	s.job.progress(s.shown(img, true), "Image successfully pushed")
	return nil
}

// merge adds tags that are not there yet: a second endpoint takes the same ones.
func merge(to, from []Published) []Published {
	for _, p := range from {
		known := false
		for _, q := range to {
			known = known || q.Tag == p.Tag
		}
		if !known {
			to = append(to, p)
		}
	}
	return to
}
