package engine

import (
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A v1Image is what the API shows of a layer's V1 JSON.
type v1Image struct {
	ID              string          `json:"id"`
	Comment         string          `json:"comment"`
	Created         time.Time       `json:"created"`
	Container       string          `json:"container"`
	ContainerConfig json.RawMessage `json:"container_config"`
	DockerVersion   string          `json:"docker_version"`
	Author          string          `json:"author"`
	Config          json.RawMessage `json:"config"`
	Architecture    string          `json:"architecture"`
	OS              string          `json:"os"`
}

func parseV1(l image.Layer) v1Image {
	var v v1Image
	_ = json.Unmarshal(l.V1JSON, &v) //nolint:errcheck // what cannot be read is shown as absent
	return v
}

// labels are those of the image's config.
func (v v1Image) labels() map[string]string {
	var c struct {
		Labels map[string]string `json:"Labels"`
	}
	_ = json.Unmarshal(v.Config, &c) //nolint:errcheck // an image without a config has no labels
	if c.Labels == nil {
		return map[string]string{}
	}
	return c.Labels
}

// A summary is one row of images/json.
type summary struct {
	ID          string            `json:"Id"`
	ParentID    string            `json:"ParentId"`
	RepoTags    []string          `json:"RepoTags"`
	RepoDigests []string          `json:"RepoDigests"`
	Created     int64             `json:"Created"`
	Size        int64             `json:"Size"`
	VirtualSize int64             `json:"VirtualSize"`
	SharedSize  int64             `json:"SharedSize"`
	Containers  int64             `json:"Containers"`
	Labels      map[string]string `json:"Labels"`
}

// listImages answers images/json: all, filter and filters (reference, dangling, label).
func (c *call) listImages() error {
	wanted, err := c.imageFilter()
	if err != nil {
		return err
	}
	e := c.engine
	ids, err := e.config.Images.Layers()
	if err != nil {
		return err
	}
	names, parents := e.namesOf(), map[string]bool{}
	for _, id := range ids {
		if l, err := e.config.Images.Layer(id); err == nil {
			parents[l.Parent] = true
		}
	}
	rows := []summary{}
	for _, id := range ids {
		if len(names[id]) == 0 && parents[id] && !c.flag("all") {
			continue // a layer in the middle of somebody's image
		}
		row, err := e.summary(id, names[id])
		if err != nil {
			continue // deleted meanwhile
		}
		if wanted(&row) {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b summary) int { return int(b.Created - a.Created) })
	return c.reply(rows)
}

func (e *Engine) summary(id string, names []string) (summary, error) {
	l, err := e.config.Images.Layer(id)
	if err != nil {
		return summary{}, err
	}
	size, err := e.chainSize(id)
	if err != nil {
		return summary{}, err
	}
	v := parseV1(l)
	row := summary{ID: id, ParentID: l.Parent, RepoTags: []string{}, RepoDigests: []string{}, Size: size, VirtualSize: size, SharedSize: -1, Containers: -1, Labels: v.labels()}
	if !v.Created.IsZero() {
		row.Created = v.Created.Unix()
	}
	for _, n := range names {
		if strings.Contains(n, "@") {
			row.RepoDigests = append(row.RepoDigests, n)
		} else {
			row.RepoTags = append(row.RepoTags, n)
		}
	}
	return row, nil
}

// chainSize is the size of an image: of all its layers' tars.
func (e *Engine) chainSize(id string) (int64, error) {
	var size int64
	for l, err := range e.config.Images.Chain(id) {
		if err != nil {
			return 0, err
		}
		size += l.Size
	}
	return size, nil
}

// flag reads a boolean parameter as docker does: anything but empty, 0, false
// and no is true.
func (c *call) flag(name string) bool {
	switch strings.ToLower(strings.TrimSpace(c.r.URL.Query().Get(name))) {
	case "", "0", "false", "no", "none":
		return false
	}
	return true
}

// imageFilter makes one predicate of filter= and filters=. A row that passes
// keeps only the names that were asked for.
func (c *call) imageFilter() (func(*summary) bool, error) {
	filters, err := parseFilters(c.r.URL.Query().Get("filters"))
	if err != nil {
		return nil, err
	}
	patterns := filters["reference"]
	if f := c.r.URL.Query().Get("filter"); f != "" { // before API 1.28
		patterns = append(patterns, f)
	}
	return func(row *summary) bool {
		if d := filters["dangling"]; len(d) > 0 && (d[0] == "true" || d[0] == "1") != (len(row.RepoTags) == 0) {
			return false
		}
		for _, want := range filters["label"] {
			key, value, hasValue := strings.Cut(want, "=")
			if got, ok := row.Labels[key]; !ok || (hasValue && got != value) {
				return false
			}
		}
		if len(patterns) == 0 {
			return true
		}
		row.RepoTags = slices.DeleteFunc(row.RepoTags, func(n string) bool { return !matchesAny(patterns, n) })
		return len(row.RepoTags) > 0
	}, nil
}

// parseFilters reads the two forms of a filters parameter: {"k":["v"]} and, since
// API 1.22, {"k":{"v":true}}.
func parseFilters(s string) (map[string][]string, error) {
	if s == "" {
		return map[string][]string{}, nil
	}
	lists := map[string][]string{}
	if json.Unmarshal([]byte(s), &lists) == nil {
		return lists, nil
	}
	sets := map[string]map[string]bool{}
	if err := json.Unmarshal([]byte(s), &sets); err != nil {
		return nil, &apiError{http.StatusBadRequest, "bad parameter: filters is neither {\"key\":[\"value\"]} nor {\"key\":{\"value\":true}}: " + err.Error()}
	}
	lists = map[string][]string{}
	for key, values := range sets {
		for value, on := range values {
			if on {
				lists[key] = append(lists[key], value)
			}
		}
		slices.Sort(lists[key])
	}
	return lists, nil
}

// matchesAny reports whether a name fits one of the patterns: a repository, a
// repository:tag, or a glob over either.
func matchesAny(patterns []string, name string) bool {
	repository, _ := splitTag(name)
	return slices.ContainsFunc(patterns, func(p string) bool {
		for _, candidate := range []string{name, repository} {
			if ok, err := path.Match(p, candidate); err == nil && ok {
				return true
			}
		}
		return false
	})
}
