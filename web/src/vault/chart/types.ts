/** The place of each type of FHIR R4 that carries nothing else (spec/sections.md): a section, the directory, or none. */

const byPlace: Record<string, string> = {
  "care-plans":
    "CarePlan CareTeam Goal Group GuidanceResponse MeasureReport NutritionOrder RequestGroup ResearchSubject ServiceRequest Task VisionPrescription",
  coverage:
    "Account ChargeItem Claim ClaimResponse Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse EnrollmentRequest EnrollmentResponse ExplanationOfBenefit Invoice PaymentNotice PaymentReconciliation",
  demographics: "Linkage Patient Person RelatedPerson",
  directory:
    "ActivityDefinition CapabilityStatement CatalogEntry ChargeItemDefinition CodeSystem CompartmentDefinition ConceptMap DeviceDefinition EffectEvidenceSynthesis Endpoint EventDefinition Evidence EvidenceVariable ExampleScenario GraphDefinition HealthcareService ImplementationGuide InsurancePlan Library Location Measure MedicationKnowledge MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition NamingSystem ObservationDefinition OperationDefinition Organization OrganizationAffiliation PlanDefinition Practitioner PractitionerRole Questionnaire ResearchDefinition ResearchElementDefinition ResearchStudy RiskEvidenceSynthesis Schedule SearchParameter Slot SpecimenDefinition StructureDefinition StructureMap Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification TerminologyCapabilities TestReport TestScript ValueSet VerificationResult",
  encounters:
    "Appointment AppointmentResponse AuditEvent Basic ClinicalImpression Communication CommunicationRequest Composition Encounter EpisodeOfCare Provenance",
  genetics: "MolecularSequence",
  imaging: "Binary Bundle DocumentManifest DocumentReference ImagingStudy Media",
  immunizations: "Immunization ImmunizationEvaluation ImmunizationRecommendation",
  labs: "DiagnosticReport Observation Specimen",
  medications: "DetectedIssue Medication MedicationAdministration MedicationDispense MedicationRequest MedicationStatement",
  "patient-generated": "Device DeviceMetric DeviceRequest DeviceUseStatement QuestionnaireResponse SupplyDelivery SupplyRequest",
  procedures: "BiologicallyDerivedProduct Procedure",
  refused: "MessageHeader OperationOutcome Parameters Subscription",
  summary: "AdverseEvent AllergyIntolerance BodyStructure Condition Consent FamilyMemberHistory Flag List RiskAssessment",
};

const places = new Map(Object.entries(byPlace).flatMap(([place, types]) => types.split(" ").map((t) => [t, place] as const)));

/** "directory", "refused", a section's name; undefined for what is no type of R4. */
export const placeOf = (type: string): string | undefined => places.get(type);
