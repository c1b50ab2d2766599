package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/nodes"
)

// reportDocument is a report as it is written. Keys are also read in snake_case.
type reportDocument struct {
	UUID            string          `json:"uuid"`
	Name            string          `json:"name"`
	PlatformName    string          `json:"platformName"`
	PlatformRelease string          `json:"platformRelease"`
	JobUUID         string          `json:"jobUuid"`
	LastContact     time.Time       `json:"lastContact"`
	SourceID        string          `json:"sourceId"`
	SourceRegion    string          `json:"sourceRegion"`
	SourceAccountID string          `json:"sourceAccountId"`
	Tags            json.RawMessage `json:"tags"`
	RunData         *resultDocument `json:"runData"`
	ScanData        *resultDocument `json:"scanData"`
	Projects        []string        `json:"projects"`
	ProjectsData    json.RawMessage `json:"projectsData"`
	ManagerID       string          `json:"managerId"`
	ManagerType     string          `json:"managerType"`
}

type resultDocument struct {
	ID                string    `json:"id"`
	Status            string    `json:"status"`
	PenultimateStatus string    `json:"penultimateStatus"`
	EndTime           time.Time `json:"endTime"`
}

// maxReports is how many reports are taken at once.
const maxReports = 100_000

// readReports reads one report, a list of them, or one after the other.
func readReports(data []byte) ([]nodes.Report, error) {
	var all []nodes.Report
	d := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("document %d is no JSON: %w", len(all)+1, err)
		}
		documents := []json.RawMessage{raw}
		if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
			if err := json.Unmarshal(raw, &documents); err != nil {
				return nil, err
			}
		}
		for _, document := range documents {
			r, err := readReport(document)
			if err != nil {
				return nil, fmt.Errorf("report %d: %w", len(all)+1, err)
			}
			all = append(all, r)
		}
	}
	switch {
	case len(all) == 0:
		return nil, errors.New("there is no report in it")
	case len(all) > maxReports:
		return nil, fmt.Errorf("there are %d reports in it; at most %d are taken at once", len(all),
			maxReports)
	}
	return all, nil
}

func readReport(text []byte) (r nodes.Report, err error) {
	text, err = camelCase(text)
	if err != nil {
		return r, err
	}
	var x reportDocument
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return r, fmt.Errorf("it is not understood: %w", err)
	}
	r = nodes.Report{
		ID: x.UUID, Name: x.Name, Platform: x.PlatformName, PlatformRelease: x.PlatformRelease,
		JobID: x.JobUUID, LastContact: x.LastContact.UTC(),
		Source: nodes.Source{
			ID: x.SourceID, Region: x.SourceRegion, AccountID: x.SourceAccountID,
		},
		Run: x.RunData.result(), Scan: x.ScanData.result(), Projects: x.Projects,
		ManagerID: x.ManagerID, ManagerType: nodes.ManagerType(x.ManagerType),
	}
	if r.Tags, err = readTags(x.Tags); err != nil {
		return r, err
	}
	return r, r.Check()
}

func (x *resultDocument) result() *nodes.Result {
	if x == nil {
		return nil
	}
	status := nodes.ResultStatus(strings.ToLower(x.Status))
	if status == "" {
		status = nodes.ResultUnknown
	}
	return &nodes.Result{ID: x.ID, Status: status, EndTime: x.EndTime.UTC()}
}

// readTags reads tags as an object, or as a list of keys and values.
func readTags(text json.RawMessage) (map[string]string, error) {
	tags := map[string]string{}
	if len(text) == 0 || string(text) == "null" || json.Unmarshal(text, &tags) == nil {
		return tags, nil
	}
	var list []struct{ Key, Value string }
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errors.New(`tags are {"KEY":"VALUE"}, or [{"key":"KEY","value":"VALUE"}]`)
	}
	tags = map[string]string{}
	for _, t := range list {
		if _, twice := tags[t.Key]; twice || t.Key == "" {
			return nil, fmt.Errorf("the tag %q is there twice, or has no key", t.Key)
		}
		tags[t.Key] = t.Value
	}
	return tags, nil
}

// camelCase writes the keys of an object, and of the objects runData and scanData in it, in
// camelCase. Keys of tags stay as they are.
func camelCase(text []byte) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, errors.New("it is no JSON object")
	}
	renamed := map[string]json.RawMessage{}
	for key, value := range object {
		name := camel(key)
		if _, twice := renamed[name]; twice {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		if (name == "runData" || name == "scanData") && string(value) != "null" {
			inner, err := camelCase(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			value = inner
		}
		renamed[name] = value
	}
	return json.Marshal(renamed)
}

func camel(key string) string {
	parts := strings.Split(key, "_")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

// receivedRow is what became of one report.
type receivedRow struct {
	UUID string `json:"uuid"`
	nodes.Received
	Error string `json:"error,omitempty"`
}

func (n *nodeCommands) reportNodes() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "report -f FILE",
		Short: "take reports of nodes over",
		Long: `report takes over what nodes, or who ran something on them, say: one JSON document, a list
of them, or one after the other. Each has a uuid, lastContact, and runData or scanData. A known
uuid, or a known instance of its account and region, is updated; else the node is added. A report
says that the node runs where lastContact is less than 10 minutes ago. One that comes late does
not lower what is known. All are read before the first is taken over.`,
		Example: `  actionctl nodes report -f report.json
  echo '{"uuid":"5f…","name":"db1","lastContact":"2026-11-29T12:00:00Z",
    "runData":{"id":"r1","status":"passed","endTime":"2026-11-29T12:00:00Z"}}' |
    actionctl nodes report -f -`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if path == "" {
				return usage("-f names the file of reports; - is standard input")
			}
			data, err := n.read(path)
			if err != nil {
				return err
			}
			reports, err := readReports(data)
			if err != nil {
				return fmt.Errorf("nothing was taken over: %w", err)
			}
			s, err := n.openNodes(c.Context(), true)
			if err != nil {
				return err
			}
			defer s.Close()
			rows, failed := make([]receivedRow, len(reports)), false
			for i, r := range reports {
				rows[i] = receivedRow{UUID: r.ID}
				rows[i].Received, err = s.ApplyReport(c.Context(), r)
				if err != nil {
					rows[i].Error, failed = err.Error(), true
				}
			}
			if err := n.print(rows, func(w io.Writer) { n.receivedTable(w, rows) }); err != nil {
				return err
			}
			if failed {
				return exit(ExitFailed)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&path, "file", "f", "", "the `file` of reports; - is standard input")
	_ = c.MarkFlagFilename("file")
	return c
}

func (n *nodeCommands) receivedTable(w io.Writer, rows []receivedRow) {
	lines := make([][]string, len(rows))
	for i, r := range rows {
		outcome := string(r.Outcome)
		if r.Error != "" {
			outcome = "failed"
		}
		lines[i] = []string{r.UUID, r.NodeID, outcome, strings.Join(r.Merged, " "), r.Error}
	}
	n.tabulate(w, []string{"UUID", "NODE", "OUTCOME", "MERGED", "ERROR"}, lines)
}
