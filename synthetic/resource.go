package synthetic

// The resources, with the elements that are used.
type (
	patientResource struct {
		ResourceType  string         `json:"resourceType"`
		Identifier    []identifier   `json:"identifier"`
		Active        bool           `json:"active"`
		Name          []humanName    `json:"name"`
		Telecom       []contactPoint `json:"telecom"`
		Gender        string         `json:"gender"`
		BirthDate     string         `json:"birthDate"`
		Address       []address      `json:"address"`
		Communication []spoken       `json:"communication"`
	}
	spoken struct {
		Language  concept `json:"language"`
		Preferred bool    `json:"preferred"`
	}
	encounter struct {
		ResourceType    string        `json:"resourceType"`
		Meta            *meta         `json:"meta,omitempty"`
		Identifier      []identifier  `json:"identifier"`
		Status          string        `json:"status"`
		Class           coding        `json:"class"`
		Type            []concept     `json:"type"`
		Subject         *reference    `json:"subject"`
		Participant     []participant `json:"participant"`
		Period          span          `json:"period"`
		ReasonCode      []concept     `json:"reasonCode,omitempty"`
		ServiceProvider *reference    `json:"serviceProvider"`
	}
	participant struct {
		Individual *reference `json:"individual"`
	}
	observation struct {
		ResourceType   string           `json:"resourceType"`
		Status         string           `json:"status"`
		Category       []concept        `json:"category"`
		Code           concept          `json:"code"`
		Subject        *reference       `json:"subject"`
		Encounter      *reference       `json:"encounter,omitempty"`
		Effective      string           `json:"effectiveDateTime,omitempty"`
		Period         *span            `json:"effectivePeriod,omitempty"`
		Performer      []*reference     `json:"performer"`
		Value          *quantity        `json:"valueQuantity,omitempty"`
		Interpretation []concept        `json:"interpretation,omitempty"`
		Device         *reference       `json:"device,omitempty"`
		Range          []referenceRange `json:"referenceRange,omitempty"`
		Component      []component      `json:"component,omitempty"`
	}
	component struct {
		Code           concept          `json:"code"`
		Value          *quantity        `json:"valueQuantity"`
		Interpretation []concept        `json:"interpretation,omitempty"`
		Range          []referenceRange `json:"referenceRange,omitempty"`
	}
	diagnosticReport struct {
		ResourceType string       `json:"resourceType"`
		Identifier   []identifier `json:"identifier"`
		Status       string       `json:"status"`
		Category     []concept    `json:"category"`
		Code         concept      `json:"code"`
		Subject      *reference   `json:"subject"`
		Effective    string       `json:"effectiveDateTime"`
		Issued       string       `json:"issued"`
		Performer    []*reference `json:"performer"`
		Result       []*reference `json:"result"`
		Conclusion   string       `json:"conclusion"`
	}
	condition struct {
		ResourceType       string     `json:"resourceType"`
		Meta               *meta      `json:"meta,omitempty"`
		ClinicalStatus     concept    `json:"clinicalStatus"`
		VerificationStatus concept    `json:"verificationStatus"`
		Category           []concept  `json:"category"`
		Code               concept    `json:"code"`
		Subject            *reference `json:"subject"`
		Encounter          *reference `json:"encounter"`
		Onset              string     `json:"onsetDateTime"`
		Abatement          string     `json:"abatementDateTime,omitempty"`
		Recorded           string     `json:"recordedDate"`
		Recorder           *reference `json:"recorder"`
	}
	allergyIntolerance struct {
		ResourceType       string     `json:"resourceType"`
		ClinicalStatus     concept    `json:"clinicalStatus"`
		VerificationStatus concept    `json:"verificationStatus"`
		Type               string     `json:"type,omitempty"`
		Category           []string   `json:"category,omitempty"`
		Criticality        string     `json:"criticality,omitempty"`
		Code               concept    `json:"code"`
		Patient            *reference `json:"patient"`
		Recorded           string     `json:"recordedDate"`
		Recorder           *reference `json:"recorder"`
		Reaction           []reaction `json:"reaction,omitempty"`
	}
	reaction struct {
		Manifestation []concept `json:"manifestation"`
		Severity      string    `json:"severity"`
	}
	medicationRequest struct {
		ResourceType string       `json:"resourceType"`
		Meta         *meta        `json:"meta,omitempty"`
		Identifier   []identifier `json:"identifier"`
		Status       string       `json:"status"`
		Intent       string       `json:"intent"`
		Medication   concept      `json:"medicationCodeableConcept"`
		Subject      *reference   `json:"subject"`
		Encounter    *reference   `json:"encounter"`
		Authored     string       `json:"authoredOn"`
		Requester    *reference   `json:"requester"`
		Reason       []concept    `json:"reasonCode"`
		Dosage       []dosage     `json:"dosageInstruction"`
	}
	medicationDispense struct {
		ResourceType string       `json:"resourceType"`
		Meta         *meta        `json:"meta,omitempty"`
		Identifier   []identifier `json:"identifier"`
		Status       string       `json:"status"`
		Medication   concept      `json:"medicationCodeableConcept"`
		Subject      *reference   `json:"subject"`
		Performer    []actor      `json:"performer"`
		Prescription []*reference `json:"authorizingPrescription"`
		Quantity     *quantity    `json:"quantity"`
		DaysSupply   *quantity    `json:"daysSupply"`
		HandedOver   string       `json:"whenHandedOver"`
		Dosage       []dosage     `json:"dosageInstruction"`
	}
	actor struct {
		Actor *reference `json:"actor"`
	}
	immunization struct {
		ResourceType string     `json:"resourceType"`
		Status       string     `json:"status"`
		Vaccine      concept    `json:"vaccineCode"`
		Patient      *reference `json:"patient"`
		Encounter    *reference `json:"encounter"`
		Occurrence   string     `json:"occurrenceDateTime"`
		Primary      bool       `json:"primarySource"`
		LotNumber    string     `json:"lotNumber"`
		Performer    []actor    `json:"performer"`
	}
	procedure struct {
		ResourceType string     `json:"resourceType"`
		Status       string     `json:"status"`
		Code         concept    `json:"code"`
		Subject      *reference `json:"subject"`
		Encounter    *reference `json:"encounter"`
		Performed    string     `json:"performedDateTime"`
		Performer    []actor    `json:"performer"`
		Reason       []concept  `json:"reasonCode"`
	}
	documentReference struct {
		ResourceType string       `json:"resourceType"`
		Meta         *meta        `json:"meta,omitempty"`
		Identifier   []identifier `json:"identifier"`
		Status       string       `json:"status"`
		DocStatus    string       `json:"docStatus"`
		Type         concept      `json:"type"`
		Category     []concept    `json:"category"`
		Subject      *reference   `json:"subject"`
		Date         string       `json:"date"`
		Author       []*reference `json:"author"`
		Content      []content    `json:"content"`
		Context      docContext   `json:"context"`
	}
	content struct {
		Attachment attachment `json:"attachment"`
	}
	attachment struct {
		ContentType string `json:"contentType"`
		Language    string `json:"language"`
		Data        []byte `json:"data"`
		Title       string `json:"title"`
	}
	docContext struct {
		Encounter []*reference `json:"encounter"`
		Period    span         `json:"period"`
	}
)
