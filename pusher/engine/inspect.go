package engine

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// inspect answers images/{name}/json.
func (c *call) inspect() error {
	e := c.engine
	named, err := e.lookup(c.name)
	if err != nil {
		return err
	}
	l, err := e.config.Images.Layer(named.id)
	if err != nil {
		return err
	}
	row, err := e.summary(named.id, e.namesOf()[named.id])
	if err != nil {
		return err
	}
	var diffIDs []string
	for layer, err := range e.config.Images.Chain(named.id) {
		if err != nil {
			return err
		}
		diffIDs = append(diffIDs, layer.DiffID.String())
	}
	slices.Reverse(diffIDs)
	v := parseV1(l)
	return c.reply(map[string]any{
		"Id": row.ID, "Parent": l.Parent, "RepoTags": row.RepoTags, "RepoDigests": row.RepoDigests,
		"Comment": v.Comment, "Created": created(v), "Container": v.Container, "ContainerConfig": rawOrNull(v.ContainerConfig),
		"DockerVersion": v.DockerVersion, "Author": v.Author, "Config": rawOrNull(v.Config), "Architecture": v.Architecture, "Os": v.OS,
		"Size": l.Size, "VirtualSize": row.VirtualSize,
		"GraphDriver": map[string]any{"Name": "pushcheck", "Data": nil},
		"RootFS":      map[string]any{"Type": "layers", "Layers": diffIDs},
		"Metadata":    map[string]any{"LastTagTime": "0001-01-01T00:00:00Z"},
	})
}

func created(v v1Image) string {
	if v.Created.IsZero() {
		return ""
	}
	return v.Created.Format(time.RFC3339Nano)
}

func rawOrNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

// A historyRow is one layer in images/{name}/history, top first.
type historyRow struct {
	ID        string   `json:"Id"`
	Created   int64    `json:"Created"`
	CreatedBy string   `json:"CreatedBy"`
	Tags      []string `json:"Tags"`
	Size      int64    `json:"Size"`
	Comment   string   `json:"Comment"`
}

// history answers images/{name}/history.
func (c *call) history() error {
	e := c.engine
	named, err := e.lookup(c.name)
	if err != nil {
		return err
	}
	names := e.namesOf()
	rows := []historyRow{}
	for l, err := range e.config.Images.Chain(named.id) {
		if err != nil {
			return err
		}
		v := parseV1(l)
		var by struct {
			Cmd []string `json:"Cmd"`
		}
		_ = json.Unmarshal(rawOrNull(v.ContainerConfig), &by) //nolint:errcheck // an odd one is shown as empty
		row := historyRow{ID: l.ID, CreatedBy: strings.Join(by.Cmd, " "), Tags: names[l.ID], Size: l.Size, Comment: v.Comment}
		if !v.Created.IsZero() {
			row.Created = v.Created.Unix()
		}
		rows = append(rows, row)
	}
	return c.reply(rows)
}
