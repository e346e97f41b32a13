package section

// The code systems that the table refers to.
const (
	actCode     = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	actCodeOID  = "urn:oid:2.16.840.1.113883.5.4"
	actCodeOld  = "http://hl7.org/fhir/v3/ActCode"
	loinc       = "http://loinc.org"
	snomed      = "http://snomed.info/sct"
	observation = "http://terminology.hl7.org/CodeSystem/observation-category"
	obsOld      = "http://hl7.org/fhir/observation-category"
	usCore      = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
	service     = "http://terminology.hl7.org/CodeSystem/v2-0074"
	serviceOld  = "http://hl7.org/fhir/v2/0074"
	note        = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
)

// strictest orders the sensitive sections for a resource with labels of several: by how narrowly law lets them be disclosed.
var strictest = []Section{SubstanceUse, HIV, MentalHealth, SexualHealth, Genetics}

// sensitivity is what v3-ActCode's information sensitivity policies mean here.
var sensitivity = map[string]Section{
	"ETH": SubstanceUse, "ETHUD": SubstanceUse, "OPIOIDUD": SubstanceUse, "SUD": SubstanceUse,
	"PSY": MentalHealth, "MH": MentalHealth, "BH": MentalHealth, "PSYTHPN": MentalHealth, "EMOTDIS": MentalHealth, "COGN": MentalHealth,
	"DVD": MentalHealth, "SPI": MentalHealth,
	"HIV": HIV,
	"SEX": SexualHealth, "SDV": SexualHealth, "STD": SexualHealth, "MST": SexualHealth, "PREGNANT": SexualHealth, "VIO": SexualHealth,
	"GDIS": Genetics, "SCA": Genetics,
}

// rule is where a type goes: the directory, else by the first category that is known, else by the first such code, else to the section.
// A rule without a section is for types that are no records.
type rule struct {
	section   Section
	directory bool
	category  map[Coding]Section
	code      map[Coding]Section
}

func in(s Section) rule { return rule{section: s} }

var (
	directory = rule{directory: true}
	message   = rule{}
)

// table has every resource type of FHIR R4 4.0.1.
var table = map[string]rule{
	"Account":                     in(Coverage),
	"AdverseEvent":                in(Summary),
	"AllergyIntolerance":          in(Summary),
	"Appointment":                 in(Encounters),
	"AppointmentResponse":         in(Encounters),
	"AuditEvent":                  in(Encounters),
	"Basic":                       in(Encounters),
	"Binary":                      in(Imaging),
	"BiologicallyDerivedProduct":  in(Procedures),
	"BodyStructure":               in(Summary),
	"Bundle":                      in(Imaging), // a document, kept whole
	"CarePlan":                    in(CarePlans),
	"CareTeam":                    in(CarePlans),
	"ChargeItem":                  in(Coverage),
	"Claim":                       in(Coverage),
	"ClaimResponse":               in(Coverage),
	"ClinicalImpression":          in(Encounters),
	"Communication":               in(Encounters),
	"CommunicationRequest":        in(Encounters),
	"Composition":                 in(Encounters),
	"Condition":                   in(Summary),
	"Consent":                     in(Summary), // advance directives; the network's own consents are grants
	"Contract":                    in(Coverage),
	"Coverage":                    in(Coverage),
	"CoverageEligibilityRequest":  in(Coverage),
	"CoverageEligibilityResponse": in(Coverage),
	"DetectedIssue":               in(Medications),
	"Device":                      in(PatientGenerated),
	"DeviceMetric":                in(PatientGenerated),
	"DeviceRequest":               in(PatientGenerated),
	"DeviceUseStatement":          in(PatientGenerated),
	"DiagnosticReport":            {section: Labs, category: reportCategories},
	"DocumentManifest":            in(Imaging),
	"DocumentReference":           {section: Imaging, category: documentCategories},
	"Encounter":                   in(Encounters),
	"EnrollmentRequest":           in(Coverage),
	"EnrollmentResponse":          in(Coverage),
	"EpisodeOfCare":               in(Encounters),
	"ExplanationOfBenefit":        in(Coverage),
	"FamilyMemberHistory":         in(Summary),
	"Flag":                        in(Summary),
	"Goal":                        in(CarePlans),
	"Group":                       in(CarePlans),
	"GuidanceResponse":            in(CarePlans),
	"ImagingStudy":                in(Imaging),
	"Immunization":                in(Immunizations),
	"ImmunizationEvaluation":      in(Immunizations),
	"ImmunizationRecommendation":  in(Immunizations),
	"Invoice":                     in(Coverage),
	"Linkage":                     in(Demographics),
	"List":                        {section: Summary, code: listCodes},
	"MeasureReport":               in(CarePlans),
	"Media":                       in(Imaging),
	"Medication":                  in(Medications),
	"MedicationAdministration":    in(Medications),
	"MedicationDispense":          in(Medications),
	"MedicationRequest":           in(Medications),
	"MedicationStatement":         in(Medications),
	"MolecularSequence":           in(Genetics),
	"NutritionOrder":              in(CarePlans),
	"Observation":                 {section: Labs, category: observationCategories, code: vitalCodes},
	"Patient":                     in(Demographics),
	"PaymentNotice":               in(Coverage),
	"PaymentReconciliation":       in(Coverage),
	"Person":                      in(Demographics),
	"Procedure":                   in(Procedures),
	"Provenance":                  in(Encounters),
	"QuestionnaireResponse":       in(PatientGenerated),
	"RelatedPerson":               in(Demographics),
	"RequestGroup":                in(CarePlans),
	"ResearchSubject":             in(CarePlans),
	"RiskAssessment":              in(Summary),
	"ServiceRequest":              {section: CarePlans, category: requestCategories},
	"Specimen":                    in(Labs),
	"SupplyDelivery":              in(PatientGenerated),
	"SupplyRequest":               in(PatientGenerated),
	"Task":                        in(CarePlans),
	"VisionPrescription":          in(CarePlans),

	"Endpoint":                directory,
	"HealthcareService":       directory,
	"InsurancePlan":           directory,
	"Location":                directory,
	"Organization":            directory,
	"OrganizationAffiliation": directory,
	"Practitioner":            directory,
	"PractitionerRole":        directory,
	"Schedule":                directory,
	"Slot":                    directory,
	"VerificationResult":      directory,

	"ActivityDefinition": directory, "CapabilityStatement": directory, "CatalogEntry": directory, "ChargeItemDefinition": directory,
	"CodeSystem": directory, "CompartmentDefinition": directory, "ConceptMap": directory, "DeviceDefinition": directory,
	"EffectEvidenceSynthesis": directory, "EventDefinition": directory, "Evidence": directory, "EvidenceVariable": directory,
	"ExampleScenario": directory, "GraphDefinition": directory, "ImplementationGuide": directory, "Library": directory, "Measure": directory,
	"MedicationKnowledge": directory, "MedicinalProduct": directory, "MedicinalProductAuthorization": directory,
	"MedicinalProductContraindication": directory, "MedicinalProductIndication": directory, "MedicinalProductIngredient": directory,
	"MedicinalProductInteraction": directory, "MedicinalProductManufactured": directory, "MedicinalProductPackaged": directory,
	"MedicinalProductPharmaceutical": directory, "MedicinalProductUndesirableEffect": directory, "MessageDefinition": directory,
	"NamingSystem": directory, "ObservationDefinition": directory, "OperationDefinition": directory, "PlanDefinition": directory,
	"Questionnaire": directory, "ResearchDefinition": directory, "ResearchElementDefinition": directory, "ResearchStudy": directory,
	"RiskEvidenceSynthesis": directory, "SearchParameter": directory, "SpecimenDefinition": directory, "StructureDefinition": directory,
	"StructureMap": directory, "Substance": directory, "SubstanceNucleicAcid": directory, "SubstancePolymer": directory,
	"SubstanceProtein": directory, "SubstanceReferenceInformation": directory, "SubstanceSourceMaterial": directory,
	"SubstanceSpecification": directory, "TerminologyCapabilities": directory, "TestReport": directory, "TestScript": directory,
	"ValueSet": directory,

	"MessageHeader": message, "OperationOutcome": message, "Parameters": message, "Subscription": message,
}

// of maps codes of several systems to one section each.
func of(systems []string, codes map[string]Section) map[Coding]Section {
	m := map[Coding]Section{}
	for _, s := range systems {
		for c, to := range codes {
			m[Coding{s, c}] = to
		}
	}
	return m
}

func join(ms ...map[Coding]Section) map[Coding]Section {
	out := map[Coding]Section{}
	for _, m := range ms {
		for c, s := range m {
			out[c] = s
		}
	}
	return out
}

var observationCategories = of([]string{observation, obsOld, usCore}, map[string]Section{
	"laboratory": Labs, "vital-signs": Vitals, "imaging": Imaging, "procedure": Procedures, "therapy": Procedures,
	"exam": Encounters, "survey": Encounters, "social-history": Summary, "activity": PatientGenerated,
	// US Core 5 and later
	"sdoh": Summary, "functional-status": Summary, "disability-status": Summary, "cognitive-status": Summary,
})

// vitalCodes are the LOINC codes of R4's vital signs profile, for an Observation whose category tells nothing.
var vitalCodes = of([]string{loinc}, map[string]Section{
	"85353-1": Vitals, "9279-1": Vitals, "8867-4": Vitals, "2708-6": Vitals, "59408-5": Vitals, "8310-5": Vitals, "8302-2": Vitals,
	"9843-4": Vitals, "29463-7": Vitals, "39156-5": Vitals, "85354-9": Vitals, "8480-6": Vitals, "8462-4": Vitals, "8478-0": Vitals,
	"59576-9": Vitals, "77606-2": Vitals, "8289-1": Vitals,
})

// reportCategories follow HL7 v2 table 0074 (diagnostic service section), and LOINC's and US Core's note categories.
var reportCategories = join(
	of([]string{service, serviceOld}, map[string]Section{
		"RAD": Imaging, "RUS": Imaging, "RX": Imaging, "CT": Imaging, "NMR": Imaging, "NMS": Imaging, "CUS": Imaging, "OUS": Imaging,
		"VUS": Imaging, "XRC": Imaging, "CTH": Imaging, "IMG": Imaging, "VR": Imaging,
		"GE": Genetics,
		"EC": Procedures, "EN": Procedures, "PF": Procedures, "RT": Procedures, "PT": Procedures, "OT": Procedures, "CG": Procedures, "PHR": Medications,
		"PHY": Encounters, "OTH": Encounters, "NRS": Encounters,
		"LAB": Labs, "CH": Labs, "HM": Labs, "MB": Labs, "IMM": Labs, "SR": Labs, "BLB": Labs, "PAT": Labs, "SP": Labs, "CP": Labs, "TX": Labs,
		"VIR": Labs, "URN": Labs, "MCB": Labs, "MYC": Labs, "PAR": Labs, "CTG": Genetics,
	}),
	of([]string{loinc}, map[string]Section{
		"LP29684-5": Imaging, "LP29708-2": Procedures, "LP7839-6": Labs, "26436-6": Labs,
		"47045-0": Encounters, "34117-2": Encounters, "51847-2": Encounters, "11488-4": Encounters, "11506-3": Encounters,
		"18842-5": Encounters, "28570-0": Encounters, "34111-5": Encounters, "34746-8": Encounters, "18748-4": Imaging,
	}),
	of([]string{note}, map[string]Section{"clinical-note": Encounters}),
)

var documentCategories = of([]string{note}, map[string]Section{"clinical-note": Encounters})

// requestCategories are SNOMED CT's, as the ServiceRequest category value set has them. Orders of all other kinds are plans.
var requestCategories = of([]string{snomed}, map[string]Section{
	"108252007": Labs, "363679005": Imaging, "387713003": Procedures,
})

// listCodes are what a List is a list of.
var listCodes = join(
	of([]string{loinc}, map[string]Section{"11450-4": Summary, "48765-2": Summary, "10160-0": Medications, "29549-3": Medications,
		"11369-6": Immunizations, "42348-3": Summary}),
	of([]string{"http://terminology.hl7.org/CodeSystem/list-example-use-codes"}, map[string]Section{"medications": Medications,
		"allergies": Summary, "problems": Summary, "alerts": Summary, "adverserxns": Summary, "plans": CarePlans, "protocols": CarePlans,
		"waiting": CarePlans, "worklist": CarePlans}),
)
